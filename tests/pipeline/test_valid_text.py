"""Half an emoji in what is said makes no request fail, to the language model or to the voice."""

from __future__ import annotations

import asyncio
import json

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate
from piopiy_lab.offline import EspeakTTSService
from piopiy_lab.pipeline.valid_text import ValidContext
from piopiy_lab.session.commands import Say
from piopiy_lab.session.session import current_session


class NetworkVoice(EspeakTTSService):
    """A voice that is asked over HTTP: what it is to say is encoded."""

    async def run_tts(self, text, context_id):
        text.encode()
        async for frame in super().run_tts(text, context_id):
            yield frame


def session(voice=None, said=None):
    """An agent that says half an emoji in greeting and reply, and ``said`` beside them."""

    async def create_session():
        agent = VoiceAgent(instructions="Be kind.", greeting="Hello \ud83d there")
        stt, llm, tts = offline_stack(
            phrases=["thank you very much"],
            replies={"thank you very much": "You are \ud83d welcome."},
        )
        await agent.Action(stt=stt, llm=llm, tts=voice or tts, vad=True)

        async def say():
            await current_session().wait_until_listening()
            if said is not None:
                await current_session().agents[-1].prepare(Say(said))()

        beside = asyncio.create_task(say())
        await agent.start()
        await beside

    return create_session


THANKS = Caller().hears_greeting().says("thank you very much").hears_reply()


async def test_half_an_emoji_reaches_no_voice_and_a_users_own_transform_goes_first():
    shouts = []

    async def shout(text, kind):
        shouts.append(text)
        return text + "!"

    voice = NetworkVoice(text_transforms=[("*", shout)])
    call = await simulate(session(voice, "More \ude00 words"), THANKS.hangs_up())
    call.raise_for_error()
    spoken = " ".join(entry.text for entry in call.transcript if entry.role == "assistant")
    assert [word in spoken for word in ("there", "words", "welcome")] == [True] * 3, spoken
    assert any("\ud83d" in text for text in shouts)


async def test_what_the_llm_is_sent_after_half_an_emoji_is_utf8():
    caller = THANKS.says("thank you very much").hears_reply().hangs_up()
    call = await simulate(session(), caller)
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
