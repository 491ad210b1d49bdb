"""From a stimulus to the caller who makes it: what comes before, how long is listened. Pure."""

from __future__ import annotations

from piopiy_lab.bench.noise_clips import noise_clip
from piopiy_lab.bench.stimuli import Stimulus
from piopiy_lab.errors import ArgumentError
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.phrases import pause
from piopiy_lab.screenplay.steps import Audio

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
    caller = Caller(stimulus.voice).waits(ANSWERED_SECS)
    if stimulus.during == "speech":
        caller = caller.says(QUESTION)
    elif stimulus.manner != "says":
        caller = caller.stays_silent(stimulus.after)
    return _does(caller, stimulus).waits(LISTENS_SECS).hangs_up()


def undisturbed() -> Caller:
    """Return the caller who only asks, and listens."""
    return Caller().waits(ANSWERED_SECS).says(QUESTION).waits(UNDISTURBED_SECS).hangs_up()


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
            sound = Audio(noise_clip(text, NOISE_RATE), NOISE_RATE)
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
