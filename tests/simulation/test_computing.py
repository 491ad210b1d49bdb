"""A service that computes in a thread: a simulated call says whether its time is in the figures."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import pytest
from pipecat.frames.frames import VADUserStoppedSpeakingFrame

from piopiy_lab import Call, Caller, VoiceAgent, calls_tool, events, offline_stack, simulate
from piopiy_lab.offline import booking_desk
from piopiy_lab.offline.phrases import PhraseBook
from piopiy_lab.offline.stt import PhraseSTTService
from piopiy_lab.offline.tts import EspeakTTSService

SECS = 0.2  # what the voice computes for a sentence
CALLER = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()


def compute(secs):
    time.sleep(secs)


async def helper(secs):
    await asyncio.to_thread(compute, secs)


class LocalVoice(EspeakTTSService):
    """Computes in a thread, as Piper does, and by way of a helper."""

    async def run_tts(self, text, context_id):
        await helper(SECS)
        async for frame in super().run_tts(text, context_id):
            yield frame


class CloudVoice(EspeakTTSService):
    """Looks its provider up: as every client of a network does, in a thread."""

    async def run_tts(self, text, context_id):
        loop = asyncio.get_running_loop()
        await loop.getaddrinfo("127.0.0.1", 80, family=socket.AF_INET)
        async for frame in super().run_tts(text, context_id):
            yield frame


class LocalEar(PhraseSTTService):
    """Computes in a thread when the caller has spoken, as Whisper does."""

    async def process_frame(self, frame, direction):
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            await helper(SECS)
        await super().process_frame(frame, direction)


def session(voice=None, ear=None):
    desk = booking_desk()

    async def create_session():
        agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
        stt, llm, tts = offline_stack()
        stt = ear(PhraseBook(desk.phrases, desk.slots)) if ear else stt
        await agent.Action(stt=stt, llm=llm, tts=voice() if voice else tts, vad=True)
        await agent.start()

    return create_session


def run(create_session, caller=CALLER, **options):
    return asyncio.run(simulate(create_session, caller, **options)).raise_for_error()


def computed(call):
    return call.events.of(events.ComputedOutside)


def test_frozen_time_is_said_once_where_figures_are():
    call = run(session(LocalVoice))
    (told,) = computed(call)
    assert (told.kind, told.service, told.charged) == ("tts", "LocalVoice", False)
    assert "LocalVoice computes on this machine while the call's clock stands still" in told.message
    line = '(LocalVoice: computing time left out, 0 ms; outside="charge" counts it)'
    assert call.turns[0].parts["tts"] == 0.0
    assert call.turns.note == line
    assert str(call.turns).endswith(line)
    assert str(call).count(line) == 1
    assert line.replace('"', "&quot;") in call.turns._repr_html_()
    assert call.turns[:1].note == line


def test_charged_time_is_in_the_figures_and_said():
    call = run(session(LocalVoice), outside="charge")
    (told,) = computed(call)
    assert told.charged
    assert call.turns[0].parts["tts"] >= SECS * 0.9
    assert 'computing time counted, outside="charge"; it differs from run to run' in str(call.turns)


def test_what_it_really_took_is_beside_the_call(tmp_path):
    call = run(session(LocalVoice), record=tmp_path / "call")
    took = call.meta["computing"]["LocalVoice"]
    assert took["jobs"] >= 2
    assert took["secs"] >= took["jobs"] * SECS * 0.9
    assert json.loads((tmp_path / "call" / "meta.json").read_text())["computing"]["LocalVoice"]
    loaded = Call.load(tmp_path / "call")
    assert loaded.turns.note == call.turns.note
    assert computed(loaded) == computed(call)


def test_it_is_the_same_line_every_time():
    first, again = run(session(LocalVoice)), run(session(LocalVoice))
    assert [e.to_json() for e in first.events] == [e.to_json() for e in again.events]


@pytest.mark.parametrize("voice", [None, CloudVoice])
def test_a_call_in_which_nothing_computes_says_nothing(voice):
    call = run(session(voice))
    assert computed(call) == []
    assert call.turns.note == ""
    assert "computing" not in call.meta
    assert "outside" not in str(call)


def test_a_tool_in_a_thread_is_no_service():
    """Its time is the tool's, not the model's that calls it."""

    async def look_up(room: str) -> str:
        """Look a room up.

        Args:
            room: Which one.
        """
        await helper(SECS)
        return f"{room} is free"

    async def create_session():
        agent = VoiceAgent(instructions="You know rooms.", greeting="Hello.", tools=[look_up])
        stt, llm, tts = offline_stack(
            phrases=["is the {room} free"],
            slots={"room": ["kitchen", "garden"]},
            replies={"is the {room} free": calls_tool("look_up", room="{room}")},
        )
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    call = run(create_session, Caller().hears_greeting().says("is the kitchen free").hears_reply())
    assert call.tool_calls[0].result == "kitchen is free"
    assert computed(call) == []


@pytest.mark.parametrize("outside", ["freeze", "charge"])
def test_a_play_of_what_computed_says_so(outside, tmp_path):
    create_session = session(LocalVoice, LocalEar)
    recorded = run(create_session, cassette=tmp_path / "tape", outside=outside)
    for mode in ("none", "new_episodes"):
        played = run(create_session, cassette=tmp_path / "tape", record_mode=mode)
        assert {(one.kind, one.service, one.charged, one.message) for one in computed(played)} == {
            (one.kind, one.service, one.charged, one.message) for one in computed(recorded)
        }
        assert len(computed(played)) == 2
        assert "LocalVoice" in played.turns.note
        assert "LocalEar" in played.turns.note
        assert played.turns[0].parts["tts"] == pytest.approx(recorded.turns[0].parts["tts"])
    assert (tmp_path / "tape" / "cassette.jsonl").read_text().count('"kind": "computed"') == 2
