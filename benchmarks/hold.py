"""What an agent makes of sounds over its words: 52 of them, by recogniser, held first and not.

    python benchmarks/hold.py [duck_then_pause | pause | duck] [NAME ...]

20 backchannels and 20 interruptions of six voices (espeak-ng's, and flite's, which must be there),
8 noises, 4 sentences to somebody else 18 dB lower, each over one and the same greeting, in virtual
time. The limits of the rule were set with these sounds in mind; ``piopiy_lab.bench`` has others.
"""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from piopiy_lab import Audio, Caller, VoiceAgent, offline_stack, simulate
from piopiy_lab import events as ev
from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService
from piopiy_lab.sound import speech

RATE = 16000
GREETING = (
    "Hello and welcome to the little bistro. We are open every day from noon until ten in the "
    "evening, and you can book a table for up to eight people. How can I help you today?"
)
BACKCHANNELS = (
    "mm hmm, uh huh, okay, yeah, yes, right, sure, I see, alright, got it, oh okay, hmm, ah, oh, "
    "great, yep, cool, fine, yeah yeah, oh I see"
).split(", ")
INTERRUPTIONS = (
    "stop, wait, no, hold on, sorry, excuse me, no wait, stop please, what time do you close, "
    "a table for four on friday at eight, I want to cancel my booking, can I change that, "
    "actually make it six people, that is wrong, let me speak to a person, "
    "okay but make it seven, I did not say that, no that is not right, yes but not on friday, "
    "my name is anna not maria"
).split(", ")
ASIDES = "did you feed the dog, the tea is ready darling, put it over there, yes I am coming"
VOICES = ("caller", "flite slt", "en-us+f3", "flite rms", "en-gb", "flite awb")
MOMENTS = (1.0, 2.3, 4.1, 5.6)
STREAMS = functools.partial(ScreenplaySTTService, interim_secs=0.2)
#: By name: whether the sound is held, and the recogniser.
ROWS: dict[str, tuple[bool, Any]] = {
    "today, offline": (False, None),
    "today, screenplay": (False, ScreenplaySTTService),
    "held, screenplay + interims": (True, STREAMS),
    "held, screenplay, finals only": (True, ScreenplaySTTService),
    "held, offline": (True, None),
}


@dataclass(frozen=True)
class Sound:
    """One of the list: what it is, its words, and its samples."""

    kind: str
    text: str
    samples: np.ndarray


def say(text: str, voice: str) -> np.ndarray:
    """Return a text as a voice says it: trimmed, at one peak, 16 kHz."""
    if voice.startswith("flite "):
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            command = ["flite", "-voice", voice.removeprefix("flite "), "-t", text, "-o", file.name]
            subprocess.run(command, check=True)
            said, _ = soundfile.read(file.name, dtype="int16")
    else:
        known = speech.CALLER_VOICE if voice == "caller" else speech.find_voice(voice)
        said = speech.synthesize(text, known, sample_rate=RATE).samples
    loud = np.flatnonzero(np.abs(said.astype(int)) > 300)
    said = said[loud[0] : loud[-1]].astype(float)
    return (said * 14000 / np.abs(said).max()).astype(np.int16)


def noises(random: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Yield sounds without words: synthetic, and no human's."""

    def burst(secs: float, low: float, high: float, decay: float, peak: float) -> np.ndarray:
        t = np.arange(round(secs * RATE)) / RATE
        spectrum = np.fft.rfft(random.normal(size=len(t)))
        hz = np.fft.rfftfreq(len(t), 1 / RATE)
        sound = np.fft.irfft(spectrum * ((hz > low) & (hz < high)), len(t))
        sound *= np.minimum(1, t / 0.01) * np.exp(-t / decay)
        return sound / np.abs(sound).max() * peak

    def voiced(secs: float, pitch: float, peak: float) -> np.ndarray:
        t = np.arange(round(secs * RATE)) / RATE
        hz = pitch * np.arange(1, 25)
        formants = np.exp(-(((hz - 600) / 300) ** 2)) + 0.5 * np.exp(-(((hz - 1400) / 300) ** 2))
        sound = np.sin(2 * np.pi * np.outer(t, hz)) @ formants * np.hanning(len(t))
        return sound / np.abs(sound).max() * peak

    gap = np.zeros(2400)
    first, again = burst(0.2, 200, 4000, 0.07, 16000), burst(0.25, 200, 4000, 0.08, 14000)
    yield "cough", burst(0.25, 200, 4000, 0.08, 16000)
    yield "cough x2", np.concatenate([first, gap, again])
    yield "throat", voiced(0.45, 95, 12000) + burst(0.45, 300, 3000, 0.3, 5000)
    begin = burst(0.06, 200, 5000, 0.05, 15000)
    yield "voiced cough", np.concatenate([begin, voiced(0.22, 150, 12000)])
    yield "door", burst(0.3, 30, 300, 0.06, 20000)
    keys = [x for _ in range(5) for x in (burst(0.05, 2000, 7000, 0.01, 9000), gap)]
    yield "keys", np.concatenate(keys)
    yield "breath", burst(0.6, 500, 6000, 0.5, 5000)
    yield "street", burst(1.5, 50, 2000, 9, 6000)


def sounds() -> Iterator[Sound]:
    """Yield the list."""
    for kind, texts in (("backchannel", BACKCHANNELS), ("interruption", INTERRUPTIONS)):
        for i, text in enumerate(texts):
            yield Sound(kind, text, say(text, VOICES[i % len(VOICES)]))
    for name, sound in noises(np.random.default_rng(7)):
        yield Sound("noise", name, sound.astype(np.int16))
    for i, text in enumerate(ASIDES.split(", ")):
        yield Sound("aside", text, (say(text, VOICES[i]) * 0.12).astype(np.int16))


def session(action: dict[str, Any]) -> Any:
    """Return the callback of an agent that greets at length."""

    async def create_session() -> None:
        agent = VoiceAgent(instructions="You take bookings.", greeting=GREETING)
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, **action)
        await agent.start()

    return create_session


@dataclass(frozen=True)
class Outcome:
    """What came of one sound; seconds from its first sample, None where it did not happen."""

    sound: Sound
    cut: float | None
    held: float | None
    resumed: float | None
    late: bool
    turned: bool

    @property
    def right(self) -> bool:
        """Whether an interruption cut the agent, or anything else didn't."""
        return (self.cut is not None) == (self.sound.kind == "interruption")


def outcome(sound: Sound, moment: float, action: dict[str, Any], stt: Any, folder: Path) -> Outcome:
    """Run a call with one sound in it."""
    said: Any = Audio(sound.samples, RATE)
    voice = None
    if sound.kind != "noise":  # so that the screenplay knows its words
        soundfile.write(folder / "clip.wav", sound.samples, RATE)
        (folder / "clips.json").write_text(f'{{"{sound.text}": "clip.wav"}}')
        said, voice = sound.text, folder
    caller = Caller(voice=voice) if voice is not None else Caller()
    caller = caller.backchannels(said, after=moment).waits(3.5).hangs_up()
    replace = {} if stt is None else {"stt": stt}
    call = asyncio.run(simulate(session(action), caller, replace=replace)).raise_for_error()
    onset = call.events.of(ev.CallerSpoke)[0].at

    def first(found: list[Any]) -> float | None:
        return found[0].at - onset if found else None

    cut = first([e for e in call.events.of(ev.AgentInterrupted) if e.speaking])
    resumed = first(call.events.of(ev.AgentSpeechResumed))
    return Outcome(
        sound=sound,
        cut=cut,
        held=first(call.events.of(ev.AgentSpeechHeld)),
        resumed=resumed,
        late=cut is not None and resumed is not None and resumed < cut,
        turned=bool(call.events.of(ev.UserTurnAdded)),
    )


def spread(values: list[float | None]) -> str:
    """Return the median and the most."""
    found = [value for value in values if value is not None]
    return f"{np.median(found):.2f}/{max(found):.2f}" if found else "-"


def main() -> None:
    how = sys.argv[1] if len(sys.argv) > 1 else "duck_then_pause"
    names = sys.argv[2:] or list(ROWS)
    listed = list(sounds())
    print(f"held: {how}; seconds from the caller's first sample, median/most")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            holds, stt = ROWS[name]
            action = {"hold_backchannels": holds, **({"hold": how} if holds else {})}
            began, found = time.perf_counter(), []
            for i, sound in enumerate(listed):
                found.append(outcome(sound, MOMENTS[i % 4], action, stt, Path(folder)))
            print(f"\n{name} ({time.perf_counter() - began:.0f} s)")
            for kind in ("backchannel", "interruption", "noise", "aside"):
                mine = [one for one in found if one.sound.kind == kind]
                decided = [one.cut if one.resumed is None else one.resumed for one in mine]
                gaps = [
                    one.resumed - one.held
                    for one in mine
                    if one.resumed is not None and one.held is not None
                ]
                wrong = [one.sound.text for one in mine if not one.right]
                print(
                    f"  {kind:12} right {sum(one.right for one in mine)}/{len(mine)}; "
                    f"held {spread([one.held for one in mine])}, decided {spread(decided)}, "
                    f"cut {spread([one.cut for one in mine])}, gap {spread([*gaps])}, "
                    f"late {sum(one.late for one in mine)}, "
                    f"turns {sum(one.turned for one in mine)}" + (f"; wrong: {wrong}" * bool(wrong))
                )


if __name__ == "__main__":
    main()
