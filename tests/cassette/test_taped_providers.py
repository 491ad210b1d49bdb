"""pipecat's own services on a cassette: the providers are fakes on loopback, with delays."""

from __future__ import annotations

import json
import os
import re

import pytest
from cloud_desk import BOOKS, SAYS, Desk
from taped import lines, run, sound

from piopiy_lab import AudioFile, Caller, VoiceAgent, events
from piopiy_lab.fake_providers import FakeCartesia, FakeDeepgram, FakeOpenAI, Scenario
from piopiy_lab.pipeline.service_switcher import (
    ServiceSwitcher,
    ServiceSwitcherStrategyFailover,
    ServiceSwitcherStrategyManual,
)
from piopiy_lab.session.session import current_session

DELAYS = {"stt": Scenario.late_final(0.3), "llm": Scenario.slow(0.35), "tts": Scenario.slow(0.18)}
LONG = (
    "I have a table by the window. And one by the door. And one in the garden. And a small one "
    "upstairs. Which one do you want?"
)


def play_twice(desk, caller, folder):
    """Record a call and play it twice; the recording."""
    recorded = run(desk.create_session, caller, cassette=folder)
    recorded.raise_for_error()
    servers = (desk.deepgram, desk.openai, desk.cartesia)
    assert any(server.received for server in servers)
    played = [run(desk.create_session, caller, cassette=folder, record_mode="none") for _ in "12"]
    played[0].raise_for_error()
    servers = (desk.deepgram, desk.openai, desk.cartesia)
    assert [len(server.received) for server in servers] == [0, 0, 0]
    assert lines(played[0]) == lines(played[1])
    assert sorted(lines(played[0])) == sorted(lines(recorded))
    assert sound(played[0]) == sound(played[1]) == sound(recorded)
    return recorded


def test_a_call_with_delays_is_played_at_its_pace_and_no_server_is_sent_anything(tmp_path):
    call = play_twice(Desk(scenarios=DELAYS, token_secs=0.06), BOOKS, tmp_path / "tape")
    assert [tool.name for tool in call.tool_calls] == ["book_table"]
    assert call.turns[0].total > 0.8


class Talker(Desk):
    """A desk that talks long, so that the caller can cut it off while it streams."""

    async def create_session(self):
        from pipecat.services.cartesia.tts import CartesiaTTSService
        from pipecat.services.deepgram.stt import DeepgramSTTService
        from pipecat.services.openai.llm import OpenAILLMService

        async with (
            FakeDeepgram((SAYS[0], SAYS[1]), scenario=DELAYS["stt"]) as self.deepgram,
            FakeOpenAI([LONG, "Good bye."], token_secs=0.2, scenario=DELAYS["llm"]) as self.openai,
            FakeCartesia(scenario=DELAYS["tts"]) as self.cartesia,
        ):
            dg, oa, ca = self.deepgram, self.openai, self.cartesia
            agent = VoiceAgent(instructions="You take bookings.", greeting="Hello.")
            await agent.Action(
                stt=DeepgramSTTService(api_key=dg.key, base_url=dg.base_url),
                llm=OpenAILLMService(api_key=oa.key, base_url=oa.base_url),
                tts=CartesiaTTSService(api_key=ca.key, url=ca.url),
                vad=True,
            )
            await agent.start()


def test_an_interruption_stops_an_answer_where_it_comes(tmp_path):
    caller = Caller().hears_greeting().says(SAYS[0]).interrupts(SAYS[1], after=1.5).hears_reply()
    call = play_twice(Talker(), caller.hangs_up(), tmp_path / "tape")
    assert [entry.text for entry in call.transcript if entry.interrupted]
    cut = re.findall(r'"cut": [0-9.]+', (tmp_path / "tape" / "cassette.jsonl").read_text())
    assert len(cut) == 2  # the language model's answer, and the voice's


class TwoVoices(Desk):
    """Two services of one kind, the second a healthy one; switched by hand, or by a failure."""

    def __init__(self, kind, strategy, at=None, **fields):
        super().__init__(**fields)
        self.kind, self.strategy, self.at = kind, strategy, at

    async def create_session(self):
        if self.at is None:
            await super().create_session()
            return
        import asyncio

        session, tasks = current_session(), []

        def switch():
            agent = session.latest_agent.agent
            tasks.append(asyncio.ensure_future(agent.switch_service("second")))

        asyncio.get_running_loop().call_later(self.at, switch)
        await super().create_session()

    def parts(self, stt, llm, tts):
        from pipecat.services.cartesia.tts import CartesiaTTSService
        from pipecat.services.deepgram.stt import DeepgramSTTService
        from pipecat.services.openai.llm import OpenAILLMService

        made = {"stt": stt, "llm": llm, "tts": tts}
        if self.kind == "stt":
            dg = self.deepgram
            two = DeepgramSTTService(api_key=dg.key, base_url=dg.base_url, name="second")
        elif self.kind == "llm":
            oa = self.openai
            two = OpenAILLMService(api_key=oa.key, base_url=oa.base_url, name="second")
        else:
            voice = CartesiaTTSService.Settings(voice="second_agent")
            ca = self.cartesia
            two = CartesiaTTSService(api_key=ca.key, url=ca.url, settings=voice, name="second")
        services = [made.pop(self.kind), two]
        made[f"{self.kind}_switcher"] = ServiceSwitcher(
            services=services, strategy_type=self.strategy
        )
        return made


@pytest.mark.parametrize("kind", ["stt", "llm", "tts"])
def test_a_switch_by_hand_is_played(kind, tmp_path):
    hears = {"script": SAYS[:1] + SAYS[1:]} if kind != "stt" else {"script": SAYS}
    desk = TwoVoices(kind, ServiceSwitcherStrategyManual, at=6.0, hears=hears)
    caller = Caller().hears_greeting().says(SAYS[0]).hears_reply().waits(2).hangs_up()
    call = play_twice(desk, caller, tmp_path / "tape")
    assert [e.cause for e in call.events.of(events.ServiceSwitched)] == ["manual"]


@pytest.mark.parametrize("kind", ["stt", "llm", "tts"])
def test_a_failover_is_played_and_no_key_is_on_the_cassette(kind, tmp_path):
    key = "wrong-key-in-full-0123456789abcdef"
    desk = TwoVoices(kind, ServiceSwitcherStrategyFailover, **{kind: {"api_key": key}})
    caller = Caller().hears_greeting().says(SAYS[0]).hears_reply().hangs_up()
    call = play_twice(desk, caller, tmp_path / "tape")
    assert [e.cause for e in call.events.of(events.ServiceSwitched)] == ["failover"]
    assert call.events.of(events.ErrorOccurred)
    on_it = b"".join(path.read_bytes() for path in (tmp_path / "tape").iterdir())
    for secret in (key, desk.deepgram.key, desk.openai.key, desk.cartesia.key):
        assert secret.encode() not in on_it
    for header in (b"uthorization", b"Bearer", b"api_key", b"X-API-Key"):
        assert header not in on_it


def test_a_play_needs_no_key(tmp_path, monkeypatch):
    keys = ("DEEPGRAM_API_KEY", "OPENAI_API_KEY", "CARTESIA_API_KEY")
    for key in keys:
        monkeypatch.delenv(key, raising=False)
    caller = Caller().hears_greeting().says(SAYS[0]).hears_reply().hangs_up()
    desk = Desk(scenarios=DELAYS)
    recorded = run(desk.create_session, caller, cassette=tmp_path / "tape")

    class Keyless(Desk):
        def parts(self, stt, llm, tts):
            from pipecat.services.deepgram.stt import DeepgramSTTService
            from pipecat.services.openai.llm import OpenAILLMService

            return {
                "stt": DeepgramSTTService(api_key=os.environ["DEEPGRAM_API_KEY"]),
                "llm": OpenAILLMService(),
                "tts": tts,
            }

    played = run(Keyless().create_session, caller, cassette=tmp_path / "tape", record_mode="none")
    played.raise_for_error()
    assert sound(played) == sound(recorded)


def test_what_was_recognised_keeps_to_the_detectors_stop(tmp_path):
    """A live call's detector is late by what its line jitters; at play it is not."""
    caller = Caller().hears_greeting().says(SAYS[0]).hears_reply().hangs_up()
    run(Desk().create_session, caller).save(tmp_path / "call")
    nobody_tells = AudioFile(tmp_path / "call")
    desk = Desk(scenarios=DELAYS)
    run(desk.create_session, nobody_tells, cassette=tmp_path / "tape").raise_for_error()

    def played():
        call = run(
            desk.create_session, nobody_tells, cassette=tmp_path / "tape", record_mode="none"
        )
        call.raise_for_error()
        return [event.at for event in call.events.of(events.Transcribed)]

    as_recorded = played()
    assert as_recorded
    path = tmp_path / "tape" / "cassette.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    late = [line for line in lines if "stop" in line]
    assert late
    for line in late:
        line["at"], line["stop"] = line["at"] + 0.04, line["stop"] + 0.04
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert played() == pytest.approx(as_recorded, abs=1e-6)
