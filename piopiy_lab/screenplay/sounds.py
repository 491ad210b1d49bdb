"""From what a caller says to the sound of it: texts, phrases, recordings, coughs, asides.

A text is spoken by the caller's voice: by espeak-ng here, or by what was synthesised before the
call (``Caller.spoken``; ``piopiy_lab.voicing`` makes it). Any thread.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from piopiy_lab.errors import VoiceError
from piopiy_lab.events.values import Manner
from piopiy_lab.screenplay.behind import as_background
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.manners import (
    Backchannels,
    Cough,
    Coughs,
    FalseStarts,
    SaysAside,
    TalksOver,
    said_in,
)
from piopiy_lab.screenplay.mouth import Clip, FileSource, Sound, open_audio_file
from piopiy_lab.screenplay.phrases import Pause, Phrase
from piopiy_lab.screenplay.steps import Audio, AudioFile, Interrupts, Says, Step
from piopiy_lab.screenplay.voice import Spoken, Words, espeak_voice
from piopiy_lab.sound import body_sounds, pcm
from piopiy_lab.sound.pcm import Int16

#: Hz at which a screenplay is tried before its call.
TRIED_AT = 16000

Sayable = str | Phrase | Audio | AudioFile | Cough


def manner_of(step: Step) -> Manner:
    """Return what a step's sound is in the conversation."""
    match step:
        case Interrupts():
            return "interruption"
        case Backchannels() | Coughs() | FalseStarts() | SaysAside() | TalksOver():
            return step.manner
        case _:
            return "turn"


def sayable_in(step: Step) -> Sayable | None:
    """Return what a step says; None if it says nothing, or a recording with a place of its own."""
    match step:
        case Says(text=text) | Interrupts(text=text):
            return text
        case _:
            return said_in(step)


def texts_of(caller: Caller) -> Iterable[str]:
    """Yield every text that a caller may have to speak, in order; some of them twice."""
    otherwise = caller.line.otherwise if caller.line is not None else ()
    for step in (*caller.steps, *otherwise):
        match sayable_in(step):
            case str(text):
                yield text
            case Phrase() as phrase:
                yield from phrase.texts
            case _:
                pass


def make_sound(step: Step, caller: Caller, sample_rate: int) -> Sound:
    """Make the sound of a step that has one.

    Args:
        step: What is done.
        caller: Whose voice it is.
        sample_rate: Hz of the sound.

    Raises:
        VoiceError: The voice was not prepared for this text.
        ArgumentError: There is no such voice.
        AudioFileError: A file can't be played.
        MissingExtraError: The voice needs the ``offline`` extra.
    """
    said = sayable_in(step)
    manner = manner_of(step)
    if isinstance(said, AudioFile):
        return Sound(FileSource(said, sample_rate), None, manner=manner)
    spoken = _spoken(said, caller, sample_rate)
    match step:
        case FalseStarts(heard=heard):
            spoken = _broken_off(spoken, heard)
        case _ if manner == "aside":
            muffled = body_sounds.aside(spoken.samples, sample_rate)
            spoken = Spoken(muffled, sample_rate, spoken.words, parts=spoken.parts)
        case _:
            pass
    text = " ".join(word for word, _, _ in spoken.words) or None
    if isinstance(said, str) and manner != "false_start":
        text = said
    return Sound(Clip(spoken.samples), text, spoken.words, manner, spoken.parts)


def _spoken(said: object, caller: Caller, rate: int) -> Spoken:
    match said:
        case str():
            return _text(said, caller, rate)
        case Phrase():
            return _phrase(said, caller, rate)
        case Cough(seed=seed):
            return Spoken(body_sounds.cough(rate, seed), rate)
        case Audio():
            return Spoken(pcm.resample(said.samples, said.sample_rate, rate), rate)
        case _:
            raise AssertionError(f"{said!r} can't be said")


def _text(text: str, caller: Caller, rate: int) -> Spoken:
    prepared = caller.spoken.get(text)
    if prepared is not None:
        return Spoken(
            pcm.resample(prepared.samples, prepared.sample_rate, rate), rate, prepared.words
        )
    from piopiy_lab.sound import speech

    voice = espeak_voice(caller.voice, caller.vary)
    if voice is None:
        raise VoiceError(
            f"the voice {caller.voice!r} was not asked for {text!r} before the call: "
            "piopiy_lab.voicing.prepared(caller) does it, as simulate() and start_call() do"
        )
    clip = speech.synthesize(text, voice, sample_rate=rate)
    words = tuple((word.text, word.start, word.end) for word in clip.words)
    return Spoken(clip.samples, rate, words)


def _phrase(phrase: Phrase, caller: Caller, rate: int) -> Spoken:
    pieces: list[Int16] = []
    words: list[tuple[str, float, float]] = []
    parts: list[tuple[str, float, float]] = []
    at = 0  # samples
    for part in phrase.parts:
        match part:
            case Pause(secs=secs):
                piece = np.zeros(round(secs * rate), np.int16)
            case text:
                one = _text(text, caller, rate)
                piece = one.samples
                begin, end = at / rate, (at + len(piece)) / rate
                parts.append((text, begin, end))
                words += [(word, begin + start, begin + stop) for word, start, stop in one.words]
        pieces.append(piece)
        at += len(piece)
    return Spoken(np.concatenate(pieces), rate, tuple(words), parts=tuple(parts))


def _broken_off(spoken: Spoken, heard: float) -> Spoken:
    samples = body_sounds.broken_off(spoken.samples, spoken.sample_rate, heard)
    end = len(samples) / spoken.sample_rate
    words: Words = tuple(
        (word, start, min(stop, end)) for word, start, stop in spoken.words if start < end
    )
    return Spoken(samples, spoken.sample_rate, words)


def check_screenplay(caller: Caller) -> None:
    """Make sure now that everything the caller will say, and what is behind them, can be heard."""
    behind = as_background(caller.background)
    if behind is not None:
        behind.loop(TRIED_AT)
    for step in caller.steps:
        match sayable_in(step):
            case None:
                pass
            case AudioFile() as file:
                open_audio_file(file)[0].close()
            case _:
                make_sound(step, caller, TRIED_AT)
