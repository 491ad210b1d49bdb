"""What a caller did in a call, as steps of a screenplay: each behind what it followed. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from piopiy_lab import events as ev
from piopiy_lab.redaction import redact_text
from piopiy_lab.screenplay.caller import REPLY_SILENCE_SECS
from piopiy_lab.screenplay.literals import literal
from piopiy_lab.screenplay.sayings import words_of
from piopiy_lab.screenplay.utterances import Utterance, utterances_of

#: Seconds between two keys of one ``presses``.
_KEYS_SECS = 0.5
#: A gap that is longer than a screenplay's own by so much is kept.
_LONG_SECS = 0.5
#: A pause that is kept where nothing of the agent is waited for.
_PAUSE_SECS = 0.05
#: What a sound takes to begin: a frame.
_FRAME_SECS = 0.01
#: A silence between two parts of a sentence that is one.
_PART_SECS = 0.005
#: How much later than it began the detector may find a sound.
_ONSET_SECS = 0.4
#: How much longer than it took a caller stays whom the agent leaves.
_STAYS_SECS = 10


@dataclass(frozen=True)
class Coded:
    """A line of the screenplay.

    Attributes:
        text: The step, without its dot; "{text}" stands for the words. "" for comments alone.
        comments: What is said before it.
        sound: Which of the caller's sounds it plays, from 0; None if it plays none.
        said: The words.
    """

    text: str
    comments: tuple[str, ...] = ()
    sound: int | None = None
    said: str | None = None


@dataclass(frozen=True)
class _Act:
    start: float
    end: float
    kind: str  # "says", "presses", "types", "mutes", "opens"
    text: str | None = None
    sound: int | None = None
    spoke: ev.CallerSpoke | None = None  # what a scripted caller's log says of it
    kept: str | None = None  # what a real caller's was taken for, if it began no turn

    @property
    def wants_floor(self) -> bool:
        """Whether the next reply answers it."""
        return self.kept is None if self.spoke is None else self.spoke.wants_floor


@dataclass(frozen=True)
class _Speech:
    """What the agent said without a silence that would end a reply."""

    start: float
    end: float
    starts: tuple[float, ...]  # of its parts


def coded_acts(log: list[ev.Event]) -> list[Coded]:
    """Return the steps that bring a call's caller about."""
    ended = next((e for e in log if isinstance(e, ev.CallEnded)), None)
    ended_at = ended.at if ended else max((e.at for e in log), default=0.0)
    began = (e.at for e in log if isinstance(e, ev.CallStateChanged) and e.new == "listening")
    own = _Act(begins := next(began, 0.0), begins, "begins")
    speeches = _speeches(log, ended_at)
    words = [e for e in log if isinstance(e, ev.WordSpoken)]
    steps: list[Coded] = []
    told_to = -math.inf
    for act in _acts(log, ended_at):
        if act.kind in ("mutes", "opens"):
            verb = "muted" if act.kind == "mutes" else "opened"
            steps.append(Coded("", (f"the caller's side was {verb} here, {act.start:.2f} s in",)))
            continue
        before = _until(own, act.start, speeches, words, waiting=act.kind != "says")
        steps += _told([*before, _step(act, speeches)], words, told_to, act.start)
        # Beside the turns: what the agent says goes on answering the turn before.
        own = act if act.wants_floor else replace(own, end=max(own.end, act.start))
        told_to = act.start
    steps += _told([*_end(ended, own, speeches, words)], words, told_to, math.inf)
    return steps


def _told(
    steps: list[Coded], words: list[ev.WordSpoken], since: float, until: float
) -> list[Coded]:
    """Return steps behind what the agent said."""
    said = " ".join(one.text for one in words if since <= one.at < until)
    if not said:
        return steps
    first, *rest = steps or [Coded("")]
    return [replace(first, comments=(f"agent: {said}", *first.comments)), *rest]


def _acts(log: list[ev.Event], ended_at: float) -> list[_Act]:
    sounds = utterances_of(log, ended_at)
    if not any(isinstance(e, ev.CallerSpoke) for e in log):
        sounds = _with_words(log, sounds)
    acts = [
        _Act(one.start, one.end, "says", one.text, place, one.spoke, one.kept)
        for place, one in enumerate(sounds)
    ]
    keys = [e for e in log if isinstance(e, ev.DTMFReceived)]
    for key in keys:
        last = acts[-1] if acts and acts[-1].kind == "presses" else None
        if last is not None and key.at - last.end <= _KEYS_SECS:
            acts[-1] = replace(last, end=key.at, text=(last.text or "") + key.digit)
        else:
            acts.append(_Act(key.at, key.at, "presses", key.digit))
    acts += [_Act(e.at, e.at, "types", e.text) for e in log if isinstance(e, ev.UserTextTyped)]
    acts += [
        _Act(e.at, e.at, "mutes" if e.muted else "opens")
        for e in log
        if isinstance(e, ev.UserMuted)
    ]
    return sorted(acts, key=lambda act: act.start)


def _with_words(log: list[ev.Event], sounds: list[Utterance]) -> list[Utterance]:
    """Return sounds with what a recogniser made of each: the detector finds them a word late."""
    texts: list[list[str]] = [[] for _ in sounds]

    def whose(at: float) -> int:
        return max((n for n, one in enumerate(sounds) if one.start - _ONSET_SECS <= at), default=0)

    for final in log if sounds else ():
        if not isinstance(final, ev.Transcribed):
            continue
        words = [(str(text), whose(float(start))) for text, start, _ in final.words]
        if len({place for _, place in words}) > 1:  # it went on over a pause
            for text, place in words:
                texts[place].append(text)
        else:
            texts[words[0][1] if words else whose(final.at)].append(final.text)
    return [
        replace(one, text=" ".join(said) or None) for one, said in zip(sounds, texts, strict=True)
    ]


def _speeches(log: list[ev.Event], ended_at: float) -> list[_Speech]:
    """Return the agent's speeches: parts with no reply's end and nothing of the caller between."""
    speeches: list[_Speech] = []
    began: float | None = None
    fresh = True  # whether the next part answers something else than the last
    tool_over = -math.inf  # of the last tool that was called before a reply was over

    def add(began: float, end: float, fresh: bool) -> None:
        last = speeches[-1] if speeches else None
        if last is None or fresh or began >= max(last.end, tool_over) + REPLY_SILENCE_SECS:
            speeches.append(_Speech(began, end, (began,)))
        else:
            speeches[-1] = _Speech(last.start, end, (*last.starts, began))

    theirs, tools = fresh, dict[int, bool]()
    for event in log:
        match event:
            case ev.AgentSpeechStarted() if began is None:
                began, theirs, fresh = event.at, fresh, False
            case ev.AgentSpeechStopped() if began is not None:
                add(began, event.at, theirs)
                began = None
            case ev.AgentInterrupted() | ev.UserTurnAdded() | ev.UserTurnStopped():
                fresh = True
            case ev.ToolCalled():
                last = speeches[-1].end if speeches else -math.inf
                tools[event.number] = event.at <= last + REPLY_SILENCE_SECS
            case ev.ToolReturned() | ev.ToolCancelled():
                if tools.get(event.number):
                    tool_over = event.at
            case _:
                pass
    if began is not None:
        add(began, ended_at, theirs)
    return speeches


def _until(
    own: _Act, at: float, speeches: list[_Speech], words: list[ev.WordSpoken], *, waiting: bool
) -> Iterator[Coded]:
    """Yield what a caller waits for before an act.

    Args:
        own: Their last act.
        at: When they act.
        speeches: The agent's.
        words: The agent's.
        waiting: Whether the act, other than speech, has to wait for a place in the agent's words.
    """
    # what began with a sound at one instant doesn't answer it; a key and a text are over at once
    answers = own.start if own.start == own.end else math.nextafter(own.start, math.inf)
    since = [one for one in speeches if answers <= one.start < at]
    heard = [one for one in since if own.end < one.end <= at]
    for place, _ in enumerate(heard):
        first = own.kind == "begins" and not place
        yield Coded("hears_greeting()" if first else "hears_reply()")
    over = next((one for one in speeches if one.start < at < one.end), None)
    if over is not None:
        if waiting:
            yield from _place_in(over, own, at, words)
        return
    last = heard[-1].end + REPLY_SILENCE_SECS if heard else None
    if last is not None:
        if at - last > _LONG_SECS:
            yield Coded(f"waits({round(at - last, 1)})")
    elif at - own.end > _PAUSE_SECS and not any(
        own.start < s.end and s.start < at for s in speeches
    ):
        yield Coded(f"waits({max(0.0, math.floor(100 * (at - own.end - _FRAME_SECS)) / 100)})")


def _place_in(over: _Speech, own: _Act, at: float, words: list[ev.WordSpoken]) -> Iterator[Coded]:
    """Yield how a caller waits for a place in the agent's words."""
    heard = [one for one in words if max(over.start - 0.5, own.end) <= one.at <= at]
    last = heard[-1].at if heard else own.end
    told = " ".join(one.text for one in heard[-4:])
    if words_of(told):
        yield Coded("hears({text})", said=told)
    if at - last > 0.3:
        yield Coded(f"waits({round(at - last, 2)})")


def _step(act: _Act, speeches: list[_Speech]) -> Coded:
    match act.kind:
        case "presses":
            return Coded("presses({text})", said=act.text)
        case "types":
            comment = "this was typed: call.user_says() in a live call"
            if not words_of(act.text or ""):
                return Coded("", (f"{comment}: {act.text}",))
            return Coded("says({text})", (comment,), said=act.text)
        case _:
            pass
    over = next((one for one in speeches if one.start < act.start < one.end), None)
    known = act.text is not None and bool(words_of(act.text))
    comments: tuple[str, ...] = ()
    sound = None if known else act.sound
    if not known:
        comments = (f"{act.end - act.start:.1f} s of sound whose words nobody knows",)
    said = "{text}" if known else f"sounds[{act.sound}]"
    text = f"says({said})"
    manner = act.kept or (act.spoke.manner if act.spoke is not None else "turn")
    if manner not in ("turn", "interruption"):
        text = _beside(manner, act.start, said, over)
        if manner == "cough":
            comments, sound = (), None
    elif over is not None:
        part = max(start for start in over.starts if start <= act.start)
        text = f"interrupts({said}, after={round(act.start - part, 2)})"
    elif act.spoke is not None and act.spoke.parts and known:
        return Coded(_in_parts(act.spoke.parts))
    return Coded(text, comments, sound, act.text if known else None)


def _beside(manner: str, at: float, said: str, over: _Speech | None) -> str:
    """Return the step of a sound that is no plain turn."""
    after = None if over is None else round(at - over.start, 2)
    match manner:
        case "cough":
            return "coughs()" if after is None else f"coughs(after={after})"
        case "aside":
            return f"says_aside({said})" if after is None else f"says_aside({said}, after={after})"
        case "false_start":  # the words that were heard, all but the end of the last
            return f"false_starts({said}, heard=0.99)"
        case _:
            verb = "talks_over" if manner == "talk_over" else "backchannels"
            return f"{verb}({said})" if after is None else f"{verb}({said}, after={after})"


def _in_parts(parts: list[list[Any]]) -> str:
    """Return ``says()`` of a sentence with its pauses."""
    told: list[str] = []
    last: float | None = None
    for text, start, end in parts:
        if last is not None and start - last > _PART_SECS:
            told.append(f"pause({round(start - last, 2)})")
        told.append(literal(redact_text(str(text))))
        last = end
    return f"says({', '.join(told)})"


def _end(
    ended: ev.CallEnded | None, own: _Act, speeches: list[_Speech], words: list[ev.WordSpoken]
) -> Iterator[Coded]:
    if ended is None:
        return
    if ended.reason in ("caller_hung_up", "hung_up", "cancelled"):
        yield from _until(own, ended.at, speeches, words, waiting=True)
        by = () if ended.reason == "caller_hung_up" else (f"the call was ended: {ended.reason}",)
        yield Coded("hangs_up()", by)
        return
    why = f"the call ended with {ended.reason!r}; the caller stays for it"
    yield Coded(f"waits({math.ceil(ended.at - own.end) + _STAYS_SECS})", (why,))
