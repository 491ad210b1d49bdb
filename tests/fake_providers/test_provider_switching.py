"""Two providers of a kind: switched by hand in the middle of a call, and when one fails."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from cloud_desk import BOOKS, GREETING, SAYS, Desk, errors_of, said

from piopiy_lab import events
from piopiy_lab.fake_providers import FakeCartesia, FakeDeepgram, FakeOpenAI
from piopiy_lab.offline import booking_desk
from piopiy_lab.pipeline.service_switcher import (
    ServiceSwitcher,
    ServiceSwitcherStrategyFailover,
    ServiceSwitcherStrategyManual,
)
from piopiy_lab.session.session import current_session


class TwoOfAKind(Desk):
    """The booking desk with a second, healthy provider of one kind."""

    def __init__(self, kind, strategy, *, at=None, second_hears=SAYS):
        super().__init__()
        self.kind, self.strategy, self.at, self.second_hears = kind, strategy, at, second_hears
        self.second = None

    async def create_session(self):
        from pipecat.services.cartesia.tts import CartesiaTTSService
        from pipecat.services.deepgram.stt import DeepgramSTTService
        from pipecat.services.openai.llm import OpenAILLMService

        async with AsyncExitStack() as stack:
            if self.kind == "stt":
                server = FakeDeepgram(self.second_hears)
                self.second = server = await stack.enter_async_context(server)
                two = DeepgramSTTService(
                    api_key=server.key, base_url=server.base_url, name="second"
                )
            elif self.kind == "llm":
                server = FakeOpenAI(rules=booking_desk().rules())
                self.second = server = await stack.enter_async_context(server)
                two = OpenAILLMService(api_key=server.key, base_url=server.base_url, name="second")
            else:
                self.second = server = await stack.enter_async_context(FakeCartesia())
                voice = CartesiaTTSService.Settings(voice="second_agent")
                two = CartesiaTTSService(
                    api_key=server.key, url=server.url, settings=voice, name="second"
                )
            self.wrap = lambda first: ServiceSwitcher(
                services=[first, two], strategy_type=self.strategy
            )
            if self.at is not None:
                session = current_session()

                def switch():
                    task = asyncio.ensure_future(session.latest_agent.agent.switch_service(two))
                    self.task = task

                asyncio.get_running_loop().call_later(self.at, switch)
            await super().create_session()

    def parts(self, stt, llm, tts):
        made = {"stt": stt, "llm": llm, "tts": tts}
        made[f"{self.kind}_switcher"] = self.wrap(made.pop(self.kind))
        return made


def switches(call):
    return [event for event in call.events if isinstance(event, events.ServiceSwitched)]


@pytest.mark.parametrize("kind", ["stt", "llm", "tts"])
def test_a_switch_by_hand_in_the_middle_of_a_call(kind):
    second_hears = SAYS[1:]
    desk = TwoOfAKind(kind, ServiceSwitcherStrategyManual, at=6.0, second_hears=second_hears)
    call = desk.call(BOOKS).raise_for_error()
    assert call.end_reason == "caller_hung_up"
    (switch,) = switches(call)
    assert (switch.kind, switch.cause) == (kind, "manual")
    assert said(call, "user") == list(SAYS)
    assert said(call, "assistant")[:2] == [
        GREETING, "A table for two tomorrow at seven. What name is it under?",
    ]  # fmt: skip
    work = {"stt": "Finalize", "llm": "completion", "tts": "end"}[kind]
    assert desk.second.of(work)
    assert not errors_of(call)


@pytest.mark.parametrize("kind", ["stt", "llm", "tts"])
def test_a_provider_that_refuses_the_key_gives_way_to_the_other(kind):
    desk = TwoOfAKind(kind, ServiceSwitcherStrategyFailover)
    setattr(desk, kind, {"api_key": "wrong-key-in-full-0123456789abcdef"})
    call = desk.call(BOOKS).raise_for_error()
    assert call.end_reason == "caller_hung_up"
    (switch,) = switches(call)
    assert (switch.kind, switch.cause) == (kind, "failover")
    assert said(call, "user") == list(SAYS)
    assert said(call, "assistant")[-1].startswith("Your table is booked.")
    assert all("refuses the key" in error.remedy for error in errors_of(call))
    assert errors_of(call)
