"""Voice-to-voice latency, split into named parts: a pure function from events to answers.

For each user turn that was answered, the time from the end of the user's speech to the first
sound of the answer is cut at the moments that the log knows::

    end of speech ─ vad ─ turn ─ transcript ─ llm ─ tts ─ output ─ first sound
                       │      │            │     │     └ first audio left the synthesis
                       │      │            │     └ first text of the LLM (tools ran before it)
                       │      │            └ final transcript
                       │      └ the turn rules decided that the user is done
                       └ the detector was sure of the silence

The end of speech is the scripted caller's own (``CallerSpoke.end``) when there is one, else the
detector's stop less the silence it waited for (``UserSpeechStopped.at - stop_secs``).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from piopiy_lab import events as ev

#: The names of the parts, in the order in which they happen. Every turn has all of them.
PARTS = ("vad", "turn", "transcript", "llm", "tts", "output")
#: Two events within this many seconds are one moment: the transcript that let the turn end.
SAME_MOMENT_SECS = 0.005

E = TypeVar("E", bound=ev.Event)


@dataclass(frozen=True)
class Answer:
    """One user turn that was answered, in seconds of the call's clock.

    Attributes:
        start: When the user's speech ended (or the text was typed, the last key pressed).
        stopped: When the turn rules decided that the user was done.
        sound: When the answer began to be heard.
        parts: Seconds by stage, in the order of :data:`PARTS`; they sum to ``sound - start``.
        tool_secs: Seconds in which a tool ran; they are part of ``parts["llm"]``.
        source: "spoken", "typed" or "keypad".
    """

    start: float
    stopped: float
    sound: float
    parts: dict[str, float]
    tool_secs: float
    source: str


def find_answers(events: Iterable[ev.Event]) -> list[Answer]:
    """Find the user turns that were answered and split the time that each answer took.

    A turn whose answer was never heard (the user went on, or the call ended) is not listed.
    """
    log = _Log(events)
    triggers = _triggers(log.events)
    ends = [*(trigger.at for trigger in triggers[1:]), math.inf]
    answers: list[Answer] = []
    since = -math.inf
    for trigger, until in zip(triggers, ends, strict=False):
        answer = _answer(trigger, _Window(log, since, until))
        if answer is not None:
            answers.append(answer)
        since = trigger.at
    return answers


_READ = (
    ev.UserSpeechStarted,
    ev.UserSpeechStopped,
    ev.UserTurnStarted,
    ev.UserTurnStopped,
    ev.TurnPredicted,
    ev.Transcribed,
    ev.BackchannelHeard,
    ev.UserTurnAdded,
    ev.UserTextTyped,
    ev.DTMFReceived,
    ev.CallerSpoke,
    ev.ContextSent,
    ev.LLMResponseStarted,
    ev.LLMTextGenerated,
    ev.SpeechRequested,
    ev.AudioSynthesized,
    ev.AgentSpeechStarted,
    ev.AgentSpeechStopped,
    ev.AgentInterrupted,
    ev.WordSpoken,
    ev.ToolCalled,
    ev.ToolReturned,
    ev.ToolCancelled,
)


class _Log:
    """The events that matter here, by time."""

    def __init__(self, events: Iterable[ev.Event]) -> None:
        self.events: list[ev.Event] = [e for e in events if isinstance(e, _READ)]
        self.events.sort(key=lambda e: e.at)
        self.times = [e.at for e in self.events]
        spoke = [e for e in self.events if isinstance(e, ev.CallerSpoke)]
        self.spoken_ends = [e.end for e in spoke if e.wants_floor and not e.found]


@dataclass(frozen=True)
class _Trigger:
    """What made the agent answer: the end of a user turn, or a typed text."""

    at: float
    typed: bool = False


class _Window:
    """The events that may belong to one trigger: since the one before, until the next."""

    def __init__(self, log: _Log, since: float, until: float) -> None:
        begin, end = bisect_right(log.times, since), bisect_right(log.times, until)
        self._events = log.events[begin:end]
        self.since, self.until = since, until
        self.spoken_ends = [end for end in log.spoken_ends if end > since]

    def before(self, kind: type[E], at: float) -> list[E]:
        return [e for e in self._events if isinstance(e, kind) and e.at <= at]

    def after(self, kind: type[E], at: float, until: float | None = None) -> list[E]:
        end = self.until if until is None else until
        return [e for e in self._events if isinstance(e, kind) and at <= e.at <= end]


def _triggers(ordered: list[ev.Event]) -> list[_Trigger]:
    found: list[_Trigger] = []
    typed = [e.text.strip() for e in ordered if isinstance(e, ev.UserTextTyped)]
    heard = False  # whether the user said or pressed something that nothing has answered for
    owed = False  # whether a UserTurnStopped, before or after, stands for the next UserTurnAdded
    for event in ordered:
        match event:
            case ev.UserTextTyped():
                found.append(_Trigger(event.at, typed=True))
            case ev.UserTurnStarted():
                owed = True
            case ev.UserTurnStopped():
                if not found or event.at - found[-1].at > SAME_MOMENT_SECS:
                    found.append(_Trigger(event.at))
                heard, owed = False, True
            case ev.DTMFReceived():
                heard, owed = True, False
            case ev.Transcribed():
                heard = True
            case ev.BackchannelHeard():
                heard = False
            case ev.UserTurnAdded() if event.text.strip() in typed:
                typed.remove(event.text.strip())
            case ev.UserTurnAdded():
                if heard and not owed:  # added without the turn rules: keys, or custom parts
                    found.append(_Trigger(event.at))
                heard = owed = False
            case _:
                pass
    return found


def _answer(trigger: _Trigger, window: _Window) -> Answer | None:
    sound = _first(window.after(ev.AgentSpeechStarted, trigger.at))
    if sound is None or not _is_answer(window, trigger.at, sound.at):
        return None
    if trigger.typed:
        source, points = "typed", [trigger.at] * 4
    else:
        heard = _heard(trigger.at, window)
        if heard is None:
            return None
        source, points = heard
    text = _first_of(window, (ev.LLMTextGenerated, ev.SpeechRequested), points[-1], sound.at)
    points.append(points[-1] if text is None else text.at)
    audio = _first(window.after(ev.AudioSynthesized, points[-1], sound.at))
    points.extend([points[-1] if audio is None else audio.at, sound.at])
    start = points[0] = min(points[0], sound.at)
    parts: dict[str, float] = {}
    reached = start  # a running maximum: stages that overlap never count twice
    for name, point in zip(PARTS, points[1:], strict=True):
        until = max(reached, min(point, sound.at))
        parts[name] = until - reached
        reached = until
    tools = _tool_secs(window, trigger.at, sound.at)
    return Answer(start, trigger.at, sound.at, parts, tools, source)


def _heard(stopped: float, window: _Window) -> tuple[str, list[float]] | None:
    """Return the source and the moments: end of speech, VAD, turn, transcript."""
    silence = _last(window.before(ev.UserSpeechStopped, stopped))
    final = _last(window.before(ev.Transcribed, stopped + SAME_MOMENT_SECS))
    key = _last(window.before(ev.DTMFReceived, stopped))
    if silence is None and key is not None:
        return "keypad", [key.at, key.at, stopped, stopped]
    end = _end_of_speech(stopped, silence, final, window)
    if end is None:
        return None
    sure = end if silence is None else silence.at
    if final is not None and abs(final.at - stopped) <= SAME_MOMENT_SECS:
        verdicts = [
            p.at
            for p in window.before(ev.TurnPredicted, stopped)
            if p.complete and p.outcome == "used"
        ]
        decided = max(sure, verdicts[-1]) if verdicts else sure
        return "spoken", [end, sure, decided, max(stopped, final.at)]
    late = _first_of(window, (ev.ContextSent, ev.LLMTextGenerated), stopped, window.until)
    begun = _first(window.after(ev.UserTurnStarted, stopped))
    limit = min(e.at for e in (late, begun) if e is not None) if late or begun else stopped
    after = _last(window.after(ev.Transcribed, stopped, limit))
    return "spoken", [end, sure, stopped, stopped if after is None else after.at]


def _end_of_speech(
    stopped: float,
    silence: ev.UserSpeechStopped | None,
    final: ev.Transcribed | None,
    window: _Window,
) -> float | None:
    spoke = window.spoken_ends
    if silence is not None:
        begun = _last(window.before(ev.UserSpeechStarted, silence.at))
        onset = window.since if begun is None else begun.at - begun.start_secs
        truth = [end for end in spoke if onset <= end <= silence.at]
        return max(truth) if truth else silence.at - silence.stop_secs
    truth = [end for end in spoke if end <= stopped]
    if truth:
        return max(truth)
    if final is None:
        return None
    return min(float(final.words[-1][2]), final.at) if final.words else final.at


def _is_answer(window: _Window, since: float, sound: float) -> bool:
    """Whether the speech is the LLM's doing, not a reminder that the session speaks by itself."""
    if not window.after(ev.SpeechRequested, since, sound):
        return True
    kinds = (ev.ContextSent, ev.LLMResponseStarted, ev.LLMTextGenerated, ev.ToolCalled)
    return _first_of(window, kinds, since, sound) is not None


def _tool_secs(window: _Window, since: float, until: float) -> float:
    """Return the seconds within ``since..until`` in which at least one tool ran."""
    done: dict[int, float] = {}
    for event in (*window.after(ev.ToolReturned, since), *window.after(ev.ToolCancelled, since)):
        done.setdefault(event.number, event.at)
    secs, reached = 0.0, since
    for call in window.after(ev.ToolCalled, since, until):
        begin, end = max(call.at, reached), min(done.get(call.number, until), until)
        secs += max(0.0, end - begin)
        reached = max(reached, end)
    return secs


def _first_of(
    window: _Window, kinds: tuple[type[ev.Event], ...], since: float, until: float
) -> ev.Event | None:
    found = [e for kind in kinds for e in window.after(kind, since, until)]
    return min(found, key=lambda e: e.at) if found else None


def _first(found: Sequence[E]) -> E | None:
    return found[0] if found else None


def _last(found: Sequence[E]) -> E | None:
    return found[-1] if found else None
