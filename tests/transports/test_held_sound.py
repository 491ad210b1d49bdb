"""The sound that waits or is ducked, to the sample; what is heard, recorded and said of it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from piopiy_lab import Caller, Line, VoiceAgent, events, offline_stack, simulate
from piopiy_lab.events.log import EventLog
from piopiy_lab.session.commands import Interrupt
from piopiy_lab.session.session import current_session
from piopiy_lab.transports.held_sound import DUCKED, FADE_SECS, MOST_SECS, HeldSound
from piopiy_lab.transports.live_playout import LivePlayout
from piopiy_lab.transports.pacing import PacedAudio

GREETING = (
    "Hello and welcome to the little bistro. We are open every day from noon until ten in the "
    "evening, and you can book a table for up to eight people."
)


def run(*acts, line=None, wait=16):
    """Run a call in which ``acts`` are done to the agent's voice: (seconds, method, argument)."""

    async def create_session():
        agent = VoiceAgent(instructions="x", greeting=GREETING)
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        session = current_session()
        assert session is not None

        async def act():
            await session.wait_until_listening()
            for at, method, argument in acts:
                await asyncio.sleep(at - session.now())
                run: Any = session.latest_agent
                if method == "interrupt":
                    await run.prepare(Interrupt())()
                else:
                    getattr(run._transport.output().voice, method)(argument)

        doing = asyncio.create_task(act())
        await agent.start()
        await doing

    caller = Caller().waits(wait).hangs_up()
    return asyncio.run(simulate(create_session, caller, line=line)).raise_for_error()


def spoken(call):
    agent = np.asarray(call.recording.agent).astype(int)
    loud = np.flatnonzero(agent)
    return agent[loud[0] : loud[-1] + 1], loud[0]


def words(call):
    return [word.text for word in call.events.of(events.WordSpoken)]


PLAIN = run()
RATE = PLAIN.recording.sample_rate
FADE = round(FADE_SECS * RATE)


@pytest.mark.parametrize("at", [0.5, 1.7, 2.9, 4.3, 6.1, 7.5])
def test_a_pause_goes_on_at_the_very_sample_and_every_word_is_told_once(at):
    call = run((at, "hold", "pause"), (at + 0.61, "resume", "short"))
    (want, began), (got, first) = spoken(PLAIN), spoken(call)
    assert first == began
    held = round(at * RATE) - first
    resumed = held + round(0.61 * RATE)
    assert np.array_equal(got[:held], want[:held])
    assert not got[held + FADE + 2 : resumed - 2].any()
    tail = got[resumed + FADE + 2 :]
    assert np.array_equal(tail, want[len(want) - len(tail) :])
    assert len(got) == len(want) + round(0.61 * RATE) - FADE
    assert words(call) == words(PLAIN)
    moved = 0.61 - FADE_SECS
    for before, after in zip(
        PLAIN.events.of(events.WordSpoken), call.events.of(events.WordSpoken), strict=True
    ):
        wanted = before.at if before.at < at else before.at + moved
        assert after.at == pytest.approx(wanted, abs=0.02), before.text
    (stopped,) = call.events.of(events.AgentSpeechStopped)
    (usual,) = PLAIN.events.of(events.AgentSpeechStopped)
    assert stopped.at == pytest.approx(usual.at + moved, abs=0.01)
    assert len(call.events.of(events.AgentSpeechStarted)) == 1


def test_ducked_the_recording_has_what_was_heard_and_no_time_is_lost():
    call = run((1.7, "hold", "duck"), (2.5, "resume", "short"))
    (want, _), (got, first) = spoken(PLAIN), spoken(call)
    held, resumed = round(1.7 * RATE) - first, round(2.5 * RATE) - first
    assert len(got) == len(want)
    assert np.array_equal(got[:held], want[:held])
    assert np.array_equal(got[resumed + FADE + 2 :], want[resumed + FADE + 2 :])
    quiet = slice(held + FADE + 2, resumed - 2)
    assert np.abs(got[quiet] - want[quiet] * DUCKED).max() <= 1
    assert [w.at for w in call.events.of(events.WordSpoken)] == [
        w.at for w in PLAIN.events.of(events.WordSpoken)
    ]


@pytest.mark.parametrize("how", ["pause", "duck"])
def test_what_is_held_too_long_goes_on_by_itself(how):
    call = run((1.7, "hold", how))
    (resumed,) = call.events.of(events.AgentSpeechResumed)
    assert (resumed.cause, resumed.held_secs) == ("watchdog", MOST_SECS)
    assert words(call) == words(PLAIN)


@pytest.mark.parametrize("at", [0.5, 1.7, 2.9, 4.3, 6.1])
def test_what_is_held_and_cut_is_never_heard_nor_told(at):
    call = run((at, "hold", "pause"), (at + 0.4, "interrupt", None))
    heard = [w.text for w in PLAIN.events.of(events.WordSpoken) if w.at <= at]
    assert words(call) == heard
    assert call.transcript[0].text == " ".join(heard)
    assert call.transcript[0].interrupted
    added = call.events.of(events.AgentTurnAdded)[0].text
    assert added == " ".join(heard)
    got, first = spoken(call)
    held = round(at * RATE) - first
    assert not got[held + FADE + 2 : held + round(0.4 * RATE) - 2].any()


def test_two_holds_in_one_speech():
    call = run(
        (1.0, "hold", "pause"), (1.5, "resume", "short"),
        (1.55, "hold", "pause"), (2.2, "resume", "short"),
        (4.0, "hold", "duck"), (4.3, "resume", "short"),
    )  # fmt: skip
    assert words(call) == words(PLAIN)
    (want, _), (got, _) = spoken(PLAIN), spoken(call)
    assert len(got) == len(want) + round((0.5 + 0.65) * RATE) - 2 * FADE


def test_over_a_line_nothing_is_lost():
    line = Line(codec="pcmu", delay_ms=80)
    plain = run(line=line)
    call = run((2.0, "hold", "pause"), (2.6, "resume", "short"), line=line)
    assert words(call) == words(plain)
    (want, _), (got, _) = spoken(plain), spoken(call)
    assert len(got) == pytest.approx(len(want) + round(0.6 * RATE), abs=0.03 * RATE)


def test_holding_twice_or_letting_go_of_nothing_changes_nothing():
    call = run(
        (1.0, "resume", "short"), (1.7, "hold", "pause"), (1.8, "hold", "pause"),
        (2.2, "resume", "short"), (2.3, "resume", "short"),
    )  # fmt: skip
    assert len(call.events.of(events.AgentSpeechHeld)) == 1
    assert len(call.events.of(events.AgentSpeechResumed)) == 1
    assert words(call) == words(PLAIN)


@pytest.mark.parametrize("at", [1.7, 2.9, 4.3])
def test_lower_then_silent_then_lower_and_back_loses_no_sound_and_no_word(at):
    call = run(
        (at, "hold", "duck"), (at + 0.4, "hold", "pause"), (at + 0.65, "hold", "duck"),
        (at + 0.8, "resume", "short"),
    )  # fmt: skip
    (want, _), (got, first) = spoken(PLAIN), spoken(call)
    edges = [round((at + secs) * RATE) - first for secs in (0, 0.4, 0.65, 0.8)]
    gap = edges[2] - edges[1] - FADE
    assert len(got) == len(want) + gap
    assert np.array_equal(got[: edges[0]], want[: edges[0]])
    lower = slice(edges[0] + FADE + 2, edges[1] - 2)
    assert np.abs(got[lower] - want[lower] * DUCKED).max() <= 1
    assert not got[edges[1] + FADE + 2 : edges[2] - 2].any()
    again = slice(edges[2] + FADE + 2, edges[3] - 2)
    assert np.abs(got[again] - want[again.start - gap : again.stop - gap] * DUCKED).max() <= 1
    tail = got[edges[3] + FADE + 2 :]
    assert np.array_equal(tail, want[len(want) - len(tail) :])
    assert words(call) == words(PLAIN)
    held = call.events.of(events.AgentSpeechHeld)
    assert [one.how for one in held] == ["duck", "pause", "duck"]
    (resumed,) = call.events.of(events.AgentSpeechResumed)
    assert resumed.held_secs == pytest.approx(0.8, abs=1e-6)
    assert len(call.events.of(events.AgentSpeechStarted)) == 1
    (stopped,) = call.events.of(events.AgentSpeechStopped)
    (usual,) = PLAIN.events.of(events.AgentSpeechStopped)
    assert stopped.at == pytest.approx(usual.at + gap / RATE, abs=0.01)


@pytest.mark.parametrize("at", [1.7, 2.9, 4.3])
def test_lower_then_silent_then_cut_tells_no_word_of_what_was_to_come(at):
    call = run((at, "hold", "duck"), (at + 0.4, "hold", "pause"), (at + 0.9, "interrupt", None))
    heard = [w.text for w in PLAIN.events.of(events.WordSpoken) if w.at <= at + 0.4]
    assert words(call) == heard
    assert call.transcript[0].text == " ".join(heard)
    got, first = spoken(call)
    silent = round((at + 0.4) * RATE) - first
    assert not got[silent + FADE + 2 : silent + round(0.5 * RATE)].any()


class Player:
    """A device that keeps what it was given for 0.1 s, on a clock that is set by hand."""

    def __init__(self, fade_secs=FADE_SECS):
        self.now, self.fade_secs, self.given = 0.0, fade_secs, []
        self.recorded = []
        session = SimpleNamespace(
            now=lambda: self.now,
            log=EventLog(lambda: self.now),
            recorder=SimpleNamespace(
                write_agent=lambda start, samples, _: self.recorded.append((start, samples))
            ),
        )
        self.audio = PacedAudio(cast(Any, session), LivePlayout(1000, latency_secs=0.1), 0.2)
        self.sound = HeldSound(lambda: self.audio, self)

    def take_back(self):
        return self.now + 0.05  # what a card has already is heard

    def give(self, samples):
        self.given.append(samples)
        self.audio.hand_over(samples)

    def heard_changed(self):
        pass

    @property
    def heard(self):
        self.audio.record_played()
        return np.concatenate([samples for _, samples in self.recorded])


@pytest.mark.parametrize("fade_secs", [FADE_SECS, 0.0])
def test_on_a_device_what_it_has_already_is_heard_and_the_rest_waits(fade_secs):
    async def main():
        player = Player(fade_secs)
        tone = np.arange(1000, 2000, dtype=np.int16)
        player.give(tone[:500])  # heard from 0.1 to 0.6
        player.now = 0.3
        player.sound.hold("pause")  # heard up to 0.35, and the fade
        fade = round(fade_secs * 1000)
        assert [len(one) for one in player.given[1:]] == [fade] * bool(fade)
        player.now = 0.8
        player.sound.resume("short")
        assert len(player.given[-1]) == 250 - fade
        assert player.sound.moved == pytest.approx(0.9 - 0.35 - fade_secs)
        player.give(tone[500:])
        player.now = 3.0
        heard = player.heard
        assert len(heard) == 1000
        assert np.array_equal(heard[:250], tone[:250])
        assert np.array_equal(heard[250 + fade + 10 :], tone[250 + fade + 10 :])

    asyncio.run(main())


def test_what_is_held_in_the_very_last_moment_is_heard_before_the_agent_has_stopped():
    (usual,) = PLAIN.events.of(events.AgentSpeechStopped)
    call = run((usual.at - 0.04, "hold", "pause"), (usual.at + 0.5, "resume", "short"))
    (stopped,) = call.events.of(events.AgentSpeechStopped)
    assert stopped.at == pytest.approx(usual.at + 0.54 - FADE_SECS, abs=0.01)
    (want, _), (got, _) = spoken(PLAIN), spoken(call)
    assert len(got) == pytest.approx(len(want) + round(0.54 * RATE), abs=2 * FADE)
    assert words(call) == words(PLAIN)


def test_on_a_device_a_lower_sound_that_falls_silent_goes_on_where_it_stood():
    async def main():
        player = Player()
        tone = np.arange(1000, 2000, dtype=np.int16)
        player.give(tone)  # heard from 0.1 to 1.1
        player.now = 0.3
        player.sound.hold("duck")  # lower from 0.4 on, where the device begins anew
        player.now = 0.5
        player.sound.hold("pause")  # silent from 0.55 on, but for the fade
        player.now = 0.8
        player.sound.hold("duck")
        player.now = 0.9
        player.sound.resume("short")
        player.now = 3.0
        heard = player.heard
        assert np.array_equal(heard[:250], tone[:250])
        assert np.array_equal(heard[-400:], tone[-400:])
        assert len(heard) == 1000
        assert np.abs(heard[262:398] - tone[262:398] * DUCKED).max() <= 1

    asyncio.run(main())


def test_before_the_agent_speaks_what_comes_waits():
    call = run((0.0, "hold", "pause"), (0.7, "resume", "short"))
    assert words(call) == words(PLAIN)
    (want, began), (got, first) = spoken(PLAIN), spoken(call)
    assert np.array_equal(want, got)
    assert first > began
