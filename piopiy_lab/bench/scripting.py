"""From a stimulus to the caller who makes it: what comes before, how long is listened. Pure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from piopiy_lab.bench.noise_clips import noise_clip
from piopiy_lab.bench.stimuli import Stimulus
from piopiy_lab.errors import ArgumentError, AudioFileError
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.phrases import pause
from piopiy_lab.screenplay.steps import Audio
from piopiy_lab.screenplay.voice import Spoken
from piopiy_lab.sound import pcm
from piopiy_lab.sound.files import open_sound
from piopiy_lab.voicing.shaping import estimated_words

#: What makes the agent talk for a while, before a stimulus that is heard in its speech.
QUESTION = "what have you got on the menu today"
#: Seconds before the question: a greeting begins by then, and the caller lets it end.
ANSWERED_SECS = 1.0
#: Seconds listened after a stimulus: the public window is 2 s, an unfinished turn waits for 1.5 s.
LISTENS_SECS = 3.2
#: The call without a stimulus, in which the agent's reply is heard undisturbed: its name, and for
#: how many seconds is listened.
UNDISTURBED, UNDISTURBED_SECS = "undisturbed", 12.0
#: Hz of the noises.
NOISE_RATE = 16000


def caller_of(stimulus: Stimulus) -> Caller:
    """Return the caller of one stimulus: one call, one stimulus.

    Raises:
        ArgumentError: What it says can't be said so.
    """
    caller = Caller(None if stimulus.clip else stimulus.voice).waits(ANSWERED_SECS)
    if stimulus.during == "speech":
        caller = caller.says(QUESTION)
    elif stimulus.kind == "aside":  # from a caller who was heard before: else nobody could tell
        caller = caller.says(QUESTION).hears_reply(timeout=30).stays_silent(stimulus.after)
    elif stimulus.manner != "says":
        caller = caller.stays_silent(stimulus.after)
    caller = _does(caller, stimulus).waits(LISTENS_SECS).hangs_up()
    if stimulus.clip is None or stimulus.kind == "noise":
        return caller
    return replace(caller, spoken={stimulus.words: clip_of(stimulus)})


def undisturbed() -> Caller:
    """Return the caller who only asks, and listens."""
    return Caller().waits(ANSWERED_SECS).says(QUESTION).waits(UNDISTURBED_SECS).hangs_up()


def clip_of(stimulus: Stimulus) -> Spoken:
    """Return a stimulus' recording as it was made, its words spread over it by their lengths.

    Raises:
        AudioFileError: It can't be read, or is silent.
    """
    path = Path(stimulus.clip or "")
    with open_sound(path) as sound:
        rate = int(sound.samplerate)
        samples = pcm.mono(sound.read(dtype="float32", always_2d=True))
    if not samples.any():
        raise AudioFileError(f"{str(path)!r} is silent: record it again")
    words = estimated_words(stimulus.words, len(samples) / rate)
    return Spoken(samples, rate, words, estimated=True)


def _noise(stimulus: Stimulus) -> Audio:
    if stimulus.clip is not None:
        recorded = clip_of(stimulus)
        return Audio(recorded.samples, recorded.sample_rate)
    return Audio(noise_clip(stimulus.words, NOISE_RATE), NOISE_RATE)


def _does(caller: Caller, stimulus: Stimulus) -> Caller:
    text, after = stimulus.text, stimulus.after
    if isinstance(text, tuple):
        if stimulus.manner != "says":
            raise ArgumentError(
                f"stimulus {stimulus.id!r}: only what 'says' can have parts and pauses"
            )
        first, *rest = (part if isinstance(part, str) else pause(part) for part in text)
        return caller.says(first, *rest)
    spoken = stimulus.during == "speech"
    match stimulus.manner:
        case "backchannels" if spoken:
            return caller.backchannels(text, after=after)
        case "interrupts" if spoken:
            return caller.interrupts(text, after=after)
        case "coughs" | "noise":
            sound = _noise(stimulus)
            return caller.backchannels(sound, after=after) if spoken else caller.says(sound)
        case "says_aside":
            return caller.says_aside(text, after=after if spoken else None)
        case "says" if not spoken:
            return caller.says(text)
        case _:
            raise ArgumentError(
                f"stimulus {stimulus.id!r}: {stimulus.manner!r} during {stimulus.during!r} can't "
                "be: 'says' is for the agent's silence, 'backchannels' and 'interrupts' for speech"
            )
