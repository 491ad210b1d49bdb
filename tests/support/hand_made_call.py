"""Calls made by hand: a log, a transcript, turns and a recording, without a pipeline.

What is shown (plots, HTML, text) is tested against these, so the tests need no service and no
loop. The voices are hummed noise unless ``voice`` gives better ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.events.log import EventLog

RATE = 16_000
Voice = Callable[[str, str], np.ndarray]  # role, text -> int16 at RATE


@dataclass
class Sound:
    """Where the samples are: what a recorder is while a call runs."""

    array: np.ndarray
    sample_rate: int = RATE

    def samples(self) -> np.ndarray:
        return self.array


class RunningPort:
    """The port of a call that goes on: takes no commands and has nothing to give."""

    agent = error = loop_thread_ident = None
    services: Mapping[str, Any] = {}


def hum(role: str, text: str) -> np.ndarray:
    """A sound with the rhythm of the text: one hummed burst for each syllable or so."""
    rng = np.random.default_rng(len(text))
    length = round(RATE * (0.3 + 0.062 * len(text)))
    t = np.arange(length) / RATE
    pitch = 110 if role == "assistant" else 190
    tone = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 6))
    beat = np.abs(np.sin(np.pi * t * 4.1)) ** 0.7 * np.clip(np.minimum(t, t[::-1]) * 20, 0, 1)
    sound = (tone / 2 + rng.normal(0, 0.1, length)) * beat
    return (np.clip(sound, -1, 1) * 14_000).astype(np.int16)


class Builder:
    """Puts a call together, second by second; ``now`` is where it stands."""

    def __init__(self, voice: Voice = hum, vad: bool = True, record: bool = True) -> None:
        self.voice, self.vad, self.record = voice, vad, record
        self.events: list[ev.Event] = []
        self.sounds: list[tuple[int, float, np.ndarray]] = []
        self.now = 0.0
        self.numbers = 0
        self.spoken: tuple[str, list[Any], bool] = ("", [], True)
        self.add(ev.CallStarted(at=0.0, origin="caller", sample_rate=RATE))
        self.add(
            ev.PipelineStarted(
                at=0.1,
                services={"stt": "PocketSphinxSTT", "llm": "RuleLLM", "tts": "EspeakTTS"},
                vad="SileroVADAnalyzer" if vad else None,
                vad_params={"confidence": 0.7, "start_secs": 0.2, "stop_secs": 0.2}
                | {"min_volume": 0.6}
                if vad
                else {},
                audio_in_sample_rate=16_000,
                audio_out_sample_rate=24_000,
                greeting="Hello",
            )
        )
        self.add(ev.CallStateChanged(at=0.12, old="starting", new="listening"))

    def add(self, *events: ev.Event) -> None:
        self.events.extend(events)

    def _words(self, text: str, start: float, secs: float) -> list[tuple[str, float, float]]:
        words = text.split()
        sizes = np.array([len(w) + 1.5 for w in words])
        edges = start + 0.05 + (secs - 0.1) * np.concatenate([[0], np.cumsum(sizes) / sizes.sum()])
        return [
            (w, round(float(a), 3), round(float(b), 3))
            for w, a, b in zip(words, edges[:-1], edges[1:], strict=True)
        ]

    def user(self, text: str, *, predicted: bool = True) -> float:
        sound = self.voice("user", text)
        start, secs = self.now, len(sound) / RATE
        self.sounds.append((0, start, sound))
        end = start + secs
        words = [list(w) for w in self._words(text, start, secs)]
        if self.vad:
            self.add(ev.UserSpeechStarted(at=start + 0.2, cause="vad", start_secs=0.2))
        self.add(ev.UserTurnStarted(at=start + 0.21))
        self.spoken = (text, words, predicted)
        self.now = end
        return end

    def agent(
        self,
        text: str,
        *,
        after: float | None = None,
        parts: tuple[float, ...] = (0.2, 0.05, 0.11, 0.03, 0.14, 0.06),
        cut_after: float | None = None,
    ) -> float:
        """Let the agent answer the speech that ended at ``after``; parts as in ``turns.PARTS``."""
        start = self.now
        if after is not None:
            moments = [after + sum(parts[: i + 1]) for i in range(6)]
            self._answer(moments, text)
            start = moments[-1]
        else:
            self.add(ev.SpeechRequested(at=start - 0.1, text=text))
        sound = self.voice("assistant", text)
        words = self._words(text, start, len(sound) / RATE)
        if cut_after is not None:
            sound = sound[: round(cut_after * RATE)]
            words = [w for w in words if w[1] < start + cut_after]
        end = start + len(sound) / RATE
        self.sounds.append((1, start, sound))
        self.add(ev.AgentSpeechStarted(at=start))
        self.add(*(ev.WordSpoken(at=w[1], text=w[0]) for w in words))
        if cut_after is not None:
            self.add(ev.AgentInterrupted(at=end, cause="user", speaking=True))
        cause = "finished" if cut_after is None else "interrupted"
        self.add(ev.AgentSpeechStopped(at=end, cause=cause))
        self.now = end
        return end

    def _answer(self, moments: list[float], reply: str) -> None:
        text, words, predicted = self.spoken
        vad, turn, transcript, llm, tts, _ = moments
        if self.vad:
            stop_secs = round(vad - self.now, 3)
            self.add(ev.UserSpeechStopped(at=vad, cause="vad", stop_secs=stop_secs))
        if predicted:
            self.add(ev.TurnPredicted(at=turn, complete=True, probability=0.93))
        self.add(ev.UserTurnStopped(at=transcript))
        self.add(ev.Transcribed(at=transcript, text=text, words=words))
        self.add(ev.UserTurnAdded(at=transcript, text=text))
        self.add(ev.ContextSent(at=transcript, messages=[], tools=["book_table"]))
        self.add(ev.LLMResponseStarted(at=transcript))
        self.add(*(ev.LLMTextGenerated(at=llm, text=f"{w} ") for w in reply.split()))
        self.add(ev.LLMResponseStopped(at=llm + 0.01))
        self.add(ev.SynthesisStarted(at=llm), ev.AudioSynthesized(at=tts))

    def tool(
        self, name: str, secs: float, result: Any, error: str | None = None, **args: Any
    ) -> None:
        self.numbers += 1
        start, end = self.now + 0.62, self.now + 0.62 + secs
        self.add(ev.ToolCalled(at=start, name=name, arguments=args, number=self.numbers))
        self.add(
            ev.ToolReturned(at=end, name=name, number=self.numbers, result=result, error=error)
        )

    def finish(self, reason: str | None = "caller_hung_up", tail: float = 0.8) -> Call:
        """Make the call; without a reason it still runs."""
        self.now += tail
        audio = np.zeros((round(self.now * RATE), 2), np.int16)
        audio += np.random.default_rng(1).normal(0, 25, audio.shape).astype(np.int16)
        for side, start, sound in self.sounds:
            begin = round(start * RATE)
            audio[begin : begin + len(sound), side] = sound[: len(audio) - begin]
        if self.vad:
            self._sample_vad(audio[:, 0])
        if reason is not None:
            self.add(ev.CallEnded(at=self.now, reason=reason))
        log = EventLog(clock=lambda: self.now)
        for event in sorted(self.events, key=lambda e: e.at):
            log.append(event)
        port: Any = RunningPort() if reason is None else None
        sound = Sound(audio if self.record else audio[:0])
        return Call(log, sound, port, {"call_id": "sim-1"})

    def _sample_vad(self, caller: np.ndarray) -> None:
        step, rng = round(0.032 * RATE), np.random.default_rng(2)
        loud = np.zeros(len(caller) // step)
        for side, start, sound in self.sounds:
            if side == 0:
                loud[int(start * RATE / step) : int((start + len(sound) / RATE) * RATE / step)] = 1
        confidence = volume = 0.0
        for i, on in enumerate(loud):
            confidence += (on * rng.uniform(0.85, 1.0) - confidence) * 0.45
            rms = float(np.sqrt(np.mean(caller[i * step : (i + 1) * step].astype(float) ** 2)))
            volume += (min(1.0, max(0.0, np.log10(rms / 20 + 1) / 2.4)) - volume) * 0.3
            self.add(
                ev.VADSampled(
                    at=(i + 1) * 0.032, confidence=round(confidence, 3), volume=round(volume, 3)
                )
            )


def booking_call(voice: Voice = hum, *, vad: bool = True, record: bool = True) -> Call:
    """Three answered turns, one interruption, a tool, keys, an error and a switch: about 25 s."""
    b = Builder(voice, vad, record)
    b.now = 0.6
    b.agent("Hello, this is the booking desk. How can I help you?")
    b.now += 0.7
    asked = b.user("a table for two please")
    b.agent(
        "A table for two. For which day and at what time would you like it?",
        after=asked,
        cut_after=1.9,
    )
    b.now -= 0.5
    asked = b.user("tomorrow at seven, under the name of Rossi")
    b.tool(
        "book_table", 0.35, {"ok": True, "ref": "R7"}, party_size=2, day="tomorrow", time="19:00"
    )
    b.agent(
        "Your table for two is booked for tomorrow at seven. The reference is R seven.",
        after=asked,
        parts=(0.2, 0.31, 0.09, 0.42, 0.16, 0.05),
    )
    b.now += 0.3
    for i, digit in enumerate("42"):
        b.add(ev.DTMFReceived(at=b.now + 0.3 * i, digit=digit))
    b.add(ev.ErrorOccurred(at=b.now + 0.1, message="the line to the provider broke", source="tts"))
    switched = ev.ServiceSwitched(
        at=b.now + 0.2, kind="tts", old="CartesiaTTS", new="EspeakTTS", cause="failover"
    )
    b.add(switched)
    b.add(
        ev.SettingsChanged(
            at=b.now + 0.5,
            old={"stop_secs": 0.2, "confidence": 0.7},
            new={"stop_secs": 0.3, "confidence": 0.55},
        )
    )
    b.now += 0.9
    asked = b.user("thank you, goodbye")
    b.agent("You are welcome. Goodbye!", after=asked, parts=(0.3, 0.06, 0.1, 0.02, 0.08, 0.04))
    return b.finish()


def long_call(minutes: float = 10, voice: Voice = hum) -> Call:
    """Many turns, each with its own latency."""
    b = Builder(voice)
    b.now = 0.5
    rng = np.random.default_rng(7)
    said = ("a table for two please", "no wait, for three", "what is on the menu tonight", "yes")
    told = (
        "Of course. For which day and at what time?",
        "Three people it is.",
        "We have soup, fish and a very good pie, and the wine list is long.",
    )
    i = 0
    while b.now < minutes * 60 - 12:
        b.now += float(rng.uniform(0.6, 1.5))
        asked = b.user(said[i % len(said)], predicted=False)
        jitter = rng.uniform(0.5, 2.2, 6)
        parts = tuple(
            float(round(p * j, 3))
            for p, j in zip((0.2, 0.05, 0.1, 0.08, 0.14, 0.05), jitter, strict=True)
        )
        b.agent(told[i % len(told)], after=asked, parts=parts)
        i += 1
    return b.finish()


def running_call() -> Call:
    """A call in which the agent is being heard."""
    b = Builder()
    b.now = 0.5
    b.agent("Hello, this is the booking desk. How can I help you?")
    b.events.pop()  # it has not stopped
    return b.finish(None, tail=-0.4)


def empty_call() -> Call:
    """A call in which nothing happened."""
    log = EventLog()
    log.append(ev.CallStarted(at=0.0, origin="caller", sample_rate=RATE))
    log.append(ev.CallEnded(at=0.0, reason="cancelled"))
    return Call(log, Sound(np.zeros((0, 2), np.int16)), None, {"call_id": "sim-1"})
