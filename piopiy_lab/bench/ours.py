"""What the public definitions don't tell: whether the agent kept its turn, and when it knew. Pure.

A pause in the agent's speech is an error to them, and a yield; here a backchannel is kept if the
agent goes on, or resumes within 1.0 s where it stood, and an interruption is yielded to only if
the agent is silent and does not resume. What counts is the sound (``reactions``), not the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from piopiy_lab.bench.measuring import Measured
from piopiy_lab.bench.seconds import Seconds, seconds_of
from piopiy_lab.experiments.figures.statistics import Share, share_of

#: Seconds after a sound into the agent's silence in which speech of its counts as an answer.
ANSWER_SECS = 2.0


@dataclass(frozen=True)
class Ours:
    """Figures of our own.

    Attributes:
        kept: Backchannels after which the agent went on, or resumed within 1.0 s where it stood.
        left_alone: Backchannels of which no turn of the caller's was made.
        yielded: Interruptions after which it was silent and did not resume.
        noises: Noises that it kept its turn through, or its silence, and that were no turn.
        asides: The same of words to somebody else.
        fell: Seconds from a sound's onset to the agent's first silent or lowered sound, of
            backchannels and interruptions after which there was one.
        kept_decided: Of backchannels that were kept after such a fall: seconds from the onset to
            the sound's coming back for good.
        yield_decided: Of interruptions: seconds from the onset to the interruption of the agent.
        gaps: Of backchannels that were kept: the longest silence in it, seconds.
    """

    kept: Share
    left_alone: Share
    yielded: Share
    noises: Share
    asides: Share
    fell: Seconds
    kept_decided: Seconds
    yield_decided: Seconds
    gaps: Seconds


def ours(measured: Iterable[Measured]) -> Ours:
    """Return our figures of what was measured; a stimulus after the agent's speech is in none."""
    heard = [one for one in measured if _counts(one)]
    back = [one for one in heard if one.stimulus.kind == "backchannel"]
    into = [one for one in heard if one.stimulus.kind == "interruption"]
    kept = [one for one in back if _kept(one)]
    return Ours(
        kept=share_of(len(kept), len(back)),
        left_alone=_share([not one.turned for one in back]),
        yielded=_share([one.reaction is not None and one.reaction.yielded for one in into]),
        noises=_share([ignored(one) for one in heard if one.stimulus.kind == "noise"]),
        asides=_share([ignored(one) for one in heard if one.stimulus.kind == "aside"]),
        fell=seconds_of([one.reaction.fell for one in (*back, *into) if one.reaction]),
        kept_decided=seconds_of([one.reaction.decided for one in kept if one.reaction]),
        yield_decided=seconds_of([one.interrupted for one in into]),
        gaps=seconds_of([max(one.reaction.gaps, default=None) for one in kept if one.reaction]),
    )


def right(one: Measured) -> bool | None:
    """Return whether the agent did by our figures what was to be done; None where nothing says.

    A pause is right if the agent waited, an end if it was answered at all.
    """
    if not _counts(one):
        return None
    match one.stimulus.kind:
        case "backchannel":
            return _kept(one) and not one.turned
        case "interruption":
            return one.reaction is not None and one.reaction.yielded
        case "noise" | "aside":
            return ignored(one)
        case "pause":
            return all(s.fired is None for s in one.silences if s.label == "hold")
        case "end":
            return one.answered is not None


def ignored(one: Measured) -> bool:
    """Return whether nothing was made of a noise or an aside."""
    if one.turned:
        return False
    if one.reaction is not None:
        return one.reaction.kept
    return one.answered is None or one.answered > ANSWER_SECS


def _counts(one: Measured) -> bool:
    return one.reaction is None or one.reaction.outcome != "was silent"


def _kept(one: Measured) -> bool:
    return one.reaction is not None and one.reaction.kept


def _share(flags: Sequence[bool]) -> Share:
    return share_of(sum(flags), len(flags))
