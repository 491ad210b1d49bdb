"""Makes a caller of a call: what was said and done, each anchored to what the agent did then.

Pure: events and samples in, a :class:`~piopiy_lab.screenplay.caller.Caller` out.
"""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from piopiy_lab import events as ev
from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import ReplayError
from piopiy_lab.events.log import EventLog
from piopiy_lab.screenplay.behind import Background, without_background
from piopiy_lab.screenplay.recalled import After, Line, Place, Recalls, What
from piopiy_lab.screenplay.steps import Audio
from piopiy_lab.screenplay.utterances import Utterance, utterances_of
from piopiy_lab.sound.heard import Heard, gaps_of
from piopiy_lab.sound.pcm import Int16

#: Samples of the detector's window, at 16 kHz.
WINDOW = 512
#: A frame, in seconds, where nothing was heard that would tell.
FRAME_SECS = 0.02
#: No live line's frames are longer, nor is one longer than the others; a simulation's may be.
LIVE_SECS = 0.1
#: Seconds that are no time at all.
INSTANT = 1e-6
#: The line's noise is looped from so many seconds of it at the most.
NOISE_SECS = 10.0
#: Acts that follow each other by less than this, with nothing of the agent between, are one turn.
SAME_TURN_SECS = 3.0
#: How much longer than it took a caller stays whom the agent left.
STAYS_SECS = 10.0


@dataclass(frozen=True)
class _Act:
    what: What
    start: float
    end: float
    text: str | None = None
    utterance: Utterance | None = None
    muted: bool = False
    place: int | None = None  # in the log, of what is logged as it happens
    command: Record | None = None  # what was done by hand

    @property
    def wants_floor(self) -> bool:
        """Whether it is the caller's turn, or a part of it."""
        if self.utterance is None:
            return self.what in ("presses", "types")
        return self.utterance.wants_floor


def _precedes(place: int, event: ev.Event, act: _Act) -> bool:
    """Whether an event of the agent's came before an act, and is not what came of it."""
    if act.place is not None:
        return place < act.place
    return event.at < act.start if act.what in ("mutes", "acts") else event.at <= act.start


def recall(
    log: EventLog,
    heard: Heard | None,
    call_id: str,
    by_hand: Sequence[tuple[float, Record]] = (),
) -> tuple[tuple[Recalls, ...], Line, Background | None]:
    """Return what the caller of a call did, how the line was, and what was heard behind them.

    Args:
        log: The call's events.
        heard: What the pipeline heard of the caller.
        call_id: For messages.
        by_hand: What somebody did to the call meanwhile: its seconds, and the record.

    Raises:
        ReplayError: The call never began, or kept no sound.
    """
    began = next((e for e in log if isinstance(e, ev.CallStateChanged) and e.new == "listening"), 0)
    if not began:
        raise ReplayError(
            f"call {call_id} never began, so there is no caller to be heard again; "
            "print(call) says what went wrong"
        )
    if heard is None:
        raise ReplayError(
            f"call {call_id} has not kept what its agent heard: it ran with record=False, or was "
            "saved by an older version. Run it again and save it; or play its recording, "
            "AudioFile(folder), which follows the clock and not the agent"
        )
    frames = heard.frames
    ended = log.of(ev.CallEnded)
    end = frames.ended_at
    if end is None:
        end = ended[-1].at if ended else frames.second_of(len(heard.samples))
    sounds = utterances_of(log, end, late=frames.late)
    if not sounds and heard.samples.any() and log.of(ev.Transcribed, ev.UserTurnAdded):
        raise ReplayError(
            f"nobody knows when the caller of call {call_id} spoke: its agent had no detector of "
            "its own. Give it one, vad=True, or play what was heard, AudioFile(folder)"
        )
    described = next((e for e in log if isinstance(e, ev.CallerDescribed)), None)
    spans = [(one.start, one.end) for one in sounds]
    heard, background = without_background(heard, described, spans)
    acts = _acts(log, heard, sounds, end, by_hand)
    agent = [
        (place, e)
        for place, e in enumerate(log)
        if isinstance(e, ev.AgentSpeechStarted | ev.AgentSpeechStopped)
    ]
    steps: list[Recalls] = []
    own = frames.begins
    turn = 0
    answered = False  # whether the agent has spoken, or stopped, since the caller's last turn
    busy = _Busy(log)
    starts = _frame_starts(heard)
    for act in acts:
        since = [e for place, e in agent if own < e.at and _precedes(place, e, act)]
        after: After = "own"
        nth, at = 1, own
        if since:
            kind = type(since[-1])
            after = "start" if kind is ev.AgentSpeechStarted else "stop"
            nth, at = sum(type(e) is kind for e in since), since[-1].at
        answered = answered or bool(since)
        if act.wants_floor:
            if answered or not turn or act.start - own > SAME_TURN_SECS:
                turn += 1
            answered = False
        spoke = act.utterance.spoke if act.utterance is not None else None
        steps.append(
            Recalls(
                act.what,
                text=act.text,
                after=after,
                nth=nth,
                gap=act.start - at,
                audio=_sound(act, heard),
                words=_words(act, heard),
                place=_place(act, heard, starts),
                waited=max(0.0, at - own),
                busy=busy.at(act.start),
                muted=act.muted,
                turn=turn,
                manner=spoke.manner if spoke is not None else "turn",
                parts=_parts(spoke),
                found=act.utterance is not None and act.utterance.found,
                said=None if act.utterance is None else act.utterance.said,
                span=(act.start, act.end),
                command=act.command,
            )
        )
        own = act.end
    theirs = bool(steps) and steps[-1].what == "hangs up"
    stays = 0.0 if theirs else max(0.0, end - own) + STAYS_SECS
    line = replace(_line(heard, sounds), stays=stays, late=frames.late, described=described)
    if (
        ended and ended[-1].reason == "hung_up"
    ):  # from the agent's side: a panel, a page that closed
        line = replace(line, ends="hung_up")
    return tuple(steps), line, background


def _told(record: Record) -> str:
    """Return what was done by hand, in words."""
    given = ", ".join(repr(value) for name, value in record.items() if name not in ("at", "does"))
    return f"{record.get('does')}({given})"


def _acts(
    log: EventLog,
    heard: Heard,
    sounds: list[Utterance],
    end: float,
    by_hand: Sequence[tuple[float, Record]],
) -> list[_Act]:
    acts = [_Act("says", u.start, u.end, u.text, u) for u in sounds]
    for place, event in enumerate(log):
        match event:
            case ev.DTMFReceived(at=at, digit=digit):
                acts.append(_Act("presses", at, at, digit, place=place))
            case ev.UserTextTyped(at=at, text=text):
                acts.append(_Act("types", at, at, text, place=place))
            case _:
                pass
    acts += [_Act("mutes", at, at, muted=muted) for at, muted in heard.frames.mutes]
    acts += [_Act("acts", at, at, _told(one), command=one) for at, one in by_hand if at <= end]
    acts.sort(key=lambda act: act.start)
    ended = log.of(ev.CallEnded)
    if not ended or ended[-1].reason in ("caller_hung_up", "hung_up", "cancelled"):
        acts.append(_Act("hangs up", end, end))
    return acts


def _sound(act: _Act, heard: Heard) -> Audio | None:
    if act.utterance is None:
        return None
    samples = heard.between(act.utterance.start, act.utterance.end)
    return Audio(samples, heard.sample_rate)


def _parts(spoke: ev.CallerSpoke | None) -> tuple[tuple[str, float, float], ...] | None:
    if spoke is None or spoke.parts is None:
        return None
    return tuple((str(text), start - spoke.at, end - spoke.at) for text, start, end in spoke.parts)


def _words(act: _Act, heard: Heard) -> tuple[tuple[str, float, float], ...]:
    if act.utterance is None:
        return ()
    begin = act.utterance.start
    return tuple(
        (text, start - begin, stop - begin)
        for text, start, stop in heard.frames.words
        if begin <= start < act.utterance.end
    )


def _frame_starts(heard: Heard) -> list[int]:
    return [0, *itertools.accumulate(heard.frames.sizes())]


def _place(act: _Act, heard: Heard, starts: list[int]) -> Place | None:
    if act.utterance is None:
        return None
    sample = heard.frames.sample_at(act.utterance.start)
    frame = starts[max(0, bisect.bisect_right(starts, sample) - 1)]
    return Place(window=sample % WINDOW, into=sample - frame)


def _line(heard: Heard, sounds: list[Utterance]) -> Line:
    sizes: Counter[int] = Counter()
    for count, size in heard.frames.runs:
        sizes[size] += count
    rate = heard.sample_rate
    usual = sizes.most_common(1)[0][0] / rate if sizes else FRAME_SECS
    longest = heard.frames.longest
    if heard.frames.virtual and (longest > usual + INSTANT or longest > LIVE_SECS):
        return Line(rate, FRAME_SECS, None, _noise(heard, sounds))
    return Line(rate, usual, usual, _noise(heard, sounds))


def _noise(heard: Heard, sounds: list[Utterance]) -> Int16 | None:
    pieces = gaps_of(heard, [(one.start, one.end) for one in sounds])
    noise = np.concatenate([np.zeros(0, np.int16), *pieces])
    if not noise.any():
        return None
    return noise[: round(NOISE_SECS * heard.sample_rate)].copy()


class _Busy:
    """When the agent was thinking or had a tool at work."""

    def __init__(self, log: EventLog) -> None:
        self._times: list[float] = []
        self._states: list[bool] = []
        reader = BusyReader()
        for event in log:
            if reader.note(event):
                self._times.append(event.at)
                self._states.append(reader.busy)

    def at(self, secs: float) -> bool:
        place = bisect.bisect_right(self._times, secs) - 1
        return place >= 0 and self._states[place]


class BusyReader:
    """Whether the agent is thinking or has a tool at work, event by event."""

    def __init__(self) -> None:
        """Begin idle."""
        self._thinking = False
        self._tools: set[int] = set()

    @property
    def busy(self) -> bool:
        """Whether it is."""
        return self._thinking or bool(self._tools)

    def note(self, event: ev.Event) -> bool:
        """Take the next event; return whether it may change the answer."""
        match event:
            case ev.LLMResponseStarted():
                self._thinking = True
            case ev.LLMResponseStopped() | ev.AgentInterrupted():
                self._thinking = False
            case ev.ToolCalled():
                self._tools.add(event.number)
            case ev.ToolReturned() | ev.ToolCancelled():
                self._tools.discard(event.number)
            case _:
                return False
        return True
