"""A caller from a call: each thing that was said or done, and what of the agent it followed.

Pure data: :mod:`piopiy_lab.screenplay.from_call` makes it, and
:mod:`piopiy_lab.screenplay.recalling` performs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from piopiy_lab.checks.json_values import Record
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.transports import CallerDescribed
from piopiy_lab.events.values import FLOOR_MANNERS, EndReason, Manner
from piopiy_lab.screenplay.steps import Audio, Step
from piopiy_lab.sound.pcm import Int16

#: What the caller did; "acts": what somebody else did to the call by hand.
What = Literal["says", "presses", "types", "mutes", "acts", "hangs up"]
#: Whether a call, of which this is the log so far, has gone another way; told the caller's turn
#: that is about to begin, so that all before it is over (None while one goes on), and whether the
#: agent speaks now (None where that is no matter).
Diverged = Callable[[EventLog, int | None, bool | None], bool]
#: What it followed: the caller's own last act (or the beginning), or the agent's n-th beginning or
#: end of speech since then.
After = Literal["own", "start", "stop"]


@dataclass(frozen=True)
class Place:
    """Where a sound stood in what the agent's side gets: a detector's verdict depends on it.

    Attributes:
        window: The sound's first sample, counted from the first that was fed, modulo the
            detector's window of 512 samples.
        into: Samples from the beginning of the frame that the sound began in.
    """

    window: int
    into: int


@dataclass(frozen=True)
class Recalls(Step):
    """One act of the caller's as it was recorded, at the same place beside the agent's.

    Attributes:
        what: What the caller did.
        text: The words, typed text or key, as far as they are known.
        after: What it followed.
        nth: The how-manieth since the caller's last act; 1 for "own".
        gap: Seconds from there on.
        audio: The sound.
        words: ``(text, start, end)`` in seconds from the sound's first sample.
        place: Where the sound stood in the stream.
        waited: Seconds from the caller's last act to what this one followed.
        busy: Whether the agent was thinking, or had a tool at work, at that moment.
        muted: Whether the side was muted, for "mutes".
        turn: The caller's turn that it belongs to, from 1; 0 before the first.
        manner: What was said was in the conversation.
        parts: ``(text, start, end)`` of what was said in parts, as for ``words``.
        found: Whether a detector found the sound in the call, and no screenplay made it.
        said: Seconds from the sound's first sample between which it was said, where a phone line
            brought it later.
        span: The recorded call's seconds from its beginning to its end.
        command: What was done by hand, for "acts": a record of ``session.by_hand``.
    """

    what: What
    text: str | None = None
    after: After = "own"
    nth: int = 1
    gap: float = 0.0
    audio: Audio | None = field(default=None, repr=False, compare=False)
    words: tuple[tuple[str, float, float], ...] = field(default=(), repr=False)
    place: Place | None = field(default=None, repr=False)
    waited: float = field(default=0.0, repr=False)
    busy: bool = field(default=False, repr=False)
    muted: bool = False
    turn: int = 0
    manner: Manner = "turn"
    parts: tuple[tuple[str, float, float], ...] | None = field(default=None, repr=False)
    found: bool = field(default=False, repr=False)
    said: tuple[float, float] | None = field(default=None, repr=False)
    span: tuple[float, float] = field(default=(0.0, 0.0), repr=False, compare=False)
    command: Record | None = field(default=None, repr=False)

    @property
    def wants_floor(self) -> bool:
        """Whether it is a turn of the caller's, or a part of one."""
        return self.what in ("says", "presses", "types") and self.manner in FLOOR_MANNERS

    def __str__(self) -> str:
        what = self.what
        if what == "mutes" and not self.muted:
            what = "opens their side"
        if self.manner not in ("turn", "interruption"):
            what = f"{what} ({self.manner.replace('_', ' ')})"
        told = "" if self.text is None or what == "acts" else f" {self.text!r}"
        if what == "acts":
            what = f"by hand, {self.text}"
        if self.text is None and self.audio is not None:
            told = f" {len(self.audio.samples) / self.audio.sample_rate:.1f} s of sound"
        return f"{what}{told}, {self.gap:.2f} s {self.when}"

    @property
    def when(self) -> str:
        """What it follows, in words."""
        if self.after == "own":
            return "later"
        count = "" if self.nth == 1 else f" {self.nth}."
        if self.after == "start":
            return f"into the agent's{count} speech"
        return f"after the agent's{count} speech"


@dataclass(frozen=True)
class Line:
    """How the caller's line was.

    Attributes:
        rate: Hz, of every sound.
        frame_secs: Seconds of most frames.
        silence_secs: Seconds of the longest frame of silence; None for what the call takes: a
            simulation's caller feeds it in large frames.
        noise: What was heard between the caller's acts, to be played there: int16, (n,). None for
            digital silence.
        ends: Why the call ends when the caller has done everything.
        diverged: Asked before each act of the caller's, and when a tool is called: whether the call
            has gone another way, so that ``otherwise`` is done instead of what is left.
        otherwise: Steps.
        described: Who called, as the log has it; None where it says nothing.
        stays: Seconds that the caller stays on the line after the last act, for an end that was not
            theirs.
        late: Seconds by which the caller was heard later than they spoke, over a phone line.
    """

    rate: int
    frame_secs: float
    silence_secs: float | None
    noise: Int16 | None = None
    ends: EndReason = "caller_hung_up"
    diverged: Diverged | None = None
    otherwise: tuple[Step, ...] = ()
    stays: float = 0.0
    described: CallerDescribed | None = None
    late: float = 0.0
