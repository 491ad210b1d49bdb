"""Half an emoji in what is said doesn't make the next request to the language model fail."""

from __future__ import annotations

import json

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate
from piopiy_lab.pipeline.valid_context import ValidContext


async def test_what_the_llm_is_sent_after_half_an_emoji_is_utf8():
    async def create_session():
        agent = VoiceAgent(instructions="Be kind.", greeting="Hello \ud83d there")
        stt, llm, tts = offline_stack(
            phrases=["thank you very much"],
            replies={"thank you very much": "You are \ud83d welcome."},
        )
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    caller = Caller().hears_greeting().says("thank you very much").hears_reply()
    call = await simulate(
        create_session, caller.says("thank you very much").hears_reply().hangs_up()
    )
    call.raise_for_error()
    assert len(call.context) == 2
    sent = json.dumps(call.context, ensure_ascii=False)
    assert "You are \ufffd welcome" in sent
    sent.encode()


def test_pairs_are_joined_and_a_healthy_message_is_the_one_that_was_added():
    context, healthy = ValidContext(), {"role": "user", "content": "hi"}
    context.add_message(healthy)
    context.add_messages([{"role": "user", "content": "\ud83d\ude00 \ude00"}])
    assert context.messages[0] is healthy
    assert context.messages[1] == {"role": "user", "content": "😀 \ufffd"}
    context.set_messages([{"role": "user", "content": ["\ud83d"]}])
    assert context.messages == [{"role": "user", "content": ["\ufffd"]}]
