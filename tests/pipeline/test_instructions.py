"""What a language model is told: pipecat's system_instruction, beside the conversation."""

from __future__ import annotations

import asyncio
import warnings

import pytest

pytest.importorskip("pocketsphinx")

from pipecat.services.settings import LLMSettings

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate
from piopiy_lab.offline import RuleLLMService, booking_desk
from piopiy_lab.pipeline.service_switcher import ServiceSwitcher


class Reading(RuleLLMService):
    """Takes down what pipecat's adapter would send to a provider, and then answers."""

    def __init__(self, name, own=None):
        settings = LLMSettings() if own is None else LLMSettings(system_instruction=own)
        desk = booking_desk()
        super().__init__(desk.rules(), tools=desk.tools, settings=settings, name=name)
        self.sent = []

    async def _process_context(self, context):
        params = await self.get_llm_adapter().get_llm_invocation_params(
            context,
            system_instruction=self._settings.system_instruction,
            convert_developer_to_user=False,
        )
        self.sent.append([m["content"] for m in params["messages"] if m["role"] == "system"])
        await super()._process_context(context)


def talk(llms, *, during=None):
    """One call with these models in a switcher; returns it, and what pipecat warned of."""

    async def create_session():
        agent = VoiceAgent(instructions="Book a table.", greeting="Hello.")
        stt, _, tts = offline_stack()
        switcher = ServiceSwitcher(services=llms)
        await agent.Action(stt=stt, llm_switcher=switcher, tts=tts, vad=True)
        if during is not None:
            task = asyncio.create_task(during(agent))
            tasks.append(task)
        await agent.start()

    tasks = []
    caller = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()
    caller = caller.says("my name is anna").hears_reply().hangs_up()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        call = asyncio.run(simulate(create_session, caller)).raise_for_error()
    ours = [str(w.message) for w in warned if "LLMContext" in str(w.message)]
    return call, ours


def test_the_instructions_are_the_services_system_instruction_and_nothing_is_deprecated():
    llm = Reading("one")
    call, warned = talk([llm])
    assert warned == []
    assert llm.sent == [["Book a table."]] * len(llm.sent)
    assert len(llm.sent) >= 2
    assert call.context[0][0] == {"role": "system", "content": "Book a table."}  # as it is told


def test_new_instructions_reach_every_model_of_a_switcher():
    one, two = Reading("one"), Reading("two", own="Speak like a pirate.")

    async def during(agent):
        await asyncio.sleep(4)
        agent.instructions = "Be brief."
        await agent.switch_service("two")

    _, warned = talk([one, two], during=during)
    assert warned == []
    assert one.sent + two.sent != []
    assert two.sent == [["Speak like a pirate.\n\nBe brief."]] * len(two.sent)
    assert len(two.sent) >= 1
