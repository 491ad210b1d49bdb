"""Calls on the virtual sound card, and waiting for what happens in them."""

from __future__ import annotations

from virtual_card import kept_up
from wait_until import wait_until

from piopiy_lab import VoiceAgent, events, offline_stack, start_call
from piopiy_lab.offline import booking_desk

LINE = "a table for two tomorrow at seven"


async def desk(call_id):
    words = booking_desk()
    agent = VoiceAgent(instructions=words.instructions, greeting=words.greeting)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def until(call, met, secs=15.0):
    """Wait until something is true of a call; what it waits for happens in other processes."""

    def met_or_ended():
        done = met()
        assert done or call.state != "ended", call
        return done

    wait_until(met_or_ended, secs, lambda: f"{call}\n{list(call.events)[-5:]}")


def count(call, kind):
    return len(call.events.of(kind))


def on(card, microphone, during, session=desk, *, compared=False, **told):
    """Run a call on the virtual card; returns it, ended, and what the speaker played.

    Where that is ``compared`` with what was said, the speaker must have kept up.
    """
    with card.listening() as heard:
        call = start_call(session, microphone, **told)
        try:
            until(call, lambda: call.state == "listening")
            during(call)
        finally:
            call.hang_up()
            call.join(8)
    call.raise_for_error()
    if compared:
        kept_up(call.events)
    return call, heard[0]


def greeted(call):
    until(call, lambda: count(call, events.AgentSpeechStopped) >= 1)
