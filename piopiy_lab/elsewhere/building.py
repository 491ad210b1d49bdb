"""An ordinary call of a draft and its sound: the events that a pipeline would have written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

from piopiy_lab import events as ev
from piopiy_lab._version import __version__
from piopiy_lab.elsewhere.draft import Draft, Said
from piopiy_lab.elsewhere.hearing import hear
from piopiy_lab.elsewhere.placing import fit, place
from piopiy_lab.elsewhere.recognising import recognise
from piopiy_lab.elsewhere.sounds import KeptSamples, Sides
from piopiy_lab.errors import ForeignCallError
from piopiy_lab.events.log import EventLog

if TYPE_CHECKING:
    from piopiy_lab.call.call import Call

C = TypeVar("C", bound="Call")

#: Seconds past the recording's end that a source's times may be off by.
END_TOLERANCE_SECS = 1.0
#: How long after the recording's end something may still happen, in seconds.
LATE_SECS = 60.0
#: How far an entry of a platform's may begin before the one before it: its times are coarse.
BACK_TOLERANCE_SECS = 1.0
#: How much better the words must fit the other channel, to say so.
TWICE = 2.0


def build(make: type[C], draft: Draft, sides: Sides, recogniser: Any = None) -> C:
    """Make the call of :func:`events_of`'s events; the same arguments, and ``Call``."""
    sides, found = events_of(draft, sides, recogniser)
    return finish(make, draft, sides, found)


def events_of(draft: Draft, sides: Sides, recogniser: Any = None) -> tuple[Sides, list[ev.Event]]:
    """Return the call's events, and the sides, if need be exchanged.

    Args:
        draft: What the source knows; notices are added.
        sides: The sound.
        recogniser: Who hears what no source has words for; see :mod:`recognising`.

    Raises:
        ForeignCallError: The draft's times are not this recording's.
    """
    check_times(draft.said, sides.secs, draft.source)
    caller, agent = hear(sides)
    straight, crossed = fit(draft.said, caller, agent), fit(draft.said, agent, caller)
    if crossed > TWICE * straight:
        if draft.either_side:
            draft.notices.append("the caller is on the right channel, by the times of the words")
            sides = sides.crossed()
            caller, agent = hear(sides)
        else:
            draft.notices.append(
                f"{crossed:.1f} s of the words fit if the caller is on the other channel, and "
                f"{straight:.1f} s as it is: try another caller_channel="
            )
    said = place(draft, caller, agent)
    if recogniser is not None:
        recognise(said, sides, recogniser)
    _settle(said)
    _tell_what_is_missing(draft, said)
    found = [event for one in said for event in _events_of(one)]
    found += _tools_of(draft)
    found += draft.events
    for event in found:
        if event.at > sides.secs + LATE_SECS:
            raise ForeignCallError(
                f"the {draft.source}'s {type(event).__name__} is at {event.at:.0f} s, and the "
                f"recording is {sides.secs:.2f} s long: is it another call's?"
            )
    return sides, sorted(found, key=lambda event: event.at)


def _settle(said: list[Said]) -> None:
    """Let a turn be over, by a source's own clock, before its answer is heard in the sound."""
    starts = [span[0] for one in said if one.role == "assistant" for span in one.spans[:1]]
    for one in said:
        if one.role == "user" and one.spans:
            end = one.spans[-1][1]
            answered = min((start for start in starts if start >= end), default=math.inf)
            for name in ("final_at", "decided_at"):
                at = getattr(one, name)
                setattr(one, name, None if at is None else min(at, answered))


def finish(make: type[C], draft: Draft, sides: Sides, found: list[ev.Event]) -> C:
    """Make the call of its events and sound.

    Args:
        make: ``Call``.
        draft: Its notices, meta data and end.
        sides: The sound.
        found: The events, in the log's order.
    """
    source = KeptSamples(
        sides,
        [
            (str(word), float(start), float(end))
            for event in found
            if isinstance(event, ev.Transcribed)
            for word, start, end in event.words
        ],
    )
    secs = round(max([sides.secs, *(event.at for event in found)]), 6)
    log = EventLog()
    if found and isinstance(found[0], ev.CallStarted):
        log.append(found.pop(0))
    else:
        log.append(ev.CallStarted(at=0.0, origin="file", sample_rate=source.sample_rate))
        log.append(ev.CallStateChanged(at=0.0, old="starting", new="listening"))
    for message in dict.fromkeys([*sides.notices, *sides.echoes, *draft.notices]):
        log.append(ev.NoticeGiven(at=0.0, message=message))
    for event in found:
        log.append(event)
    if not any(isinstance(event, ev.CallEnded) for event in found):
        log.append(ev.CallStateChanged(at=secs, old="listening", new="ended"))
        log.append(ev.CallEnded(at=secs, reason=draft.end_reason, error=draft.error))
    meta = {"call_id": draft.source, "piopiy_lab": __version__, "origin": "file", **draft.meta}
    return make(log, source, None, {**meta, "source": draft.source})


def check_times(said: list[Said], secs: float, source: str) -> None:
    """Refuse times that can't be of this recording.

    Raises:
        ForeignCallError: They run backwards, or lie past the end.
    """
    last: dict[str, float] = {}
    slack = 0.0 if source == "recording" else BACK_TOLERANCE_SECS
    for number, one in enumerate(said, start=1):
        name = f"entry {number} of the {source}'s transcript ({one.text[:40]!r})"
        times = [t for _, start, end in one.words for t in (start, end)]
        if one.start is not None:
            end = one.start if one.end is None else one.end
            if end < one.start or one.start < last.get(one.role, -math.inf) - slack:
                before = last.get(one.role)
                tail = f", and the one before it at {before:.2f} s" if end >= one.start else ""
                raise ForeignCallError(
                    f"{name} is from {one.start:.2f} to {end:.2f} s{tail}: times run backwards; "
                    "sort the entries, and give start and end in seconds of the recording"
                )
            last[one.role] = one.start
            times += [one.start, end]
        if (
            any(after < before for before, after in zip(times, times[1:], strict=False))
            and one.words
        ):
            starts = [start for _, start, _ in one.words]
            if starts != sorted(starts) or any(end < start for _, start, end in one.words):
                raise ForeignCallError(f"the words of {name} run backwards in time: {starts[:8]}")
        wrong = [t for t in times if not -END_TOLERANCE_SECS <= t <= secs + END_TOLERANCE_SECS]
        if wrong:
            raise ForeignCallError(
                f"{name} has the time {wrong[0]:.2f} s, and the recording is {secs:.2f} s long: is "
                "it another call's, or are the times in milliseconds or from another moment?"
            )


def _tell_what_is_missing(draft: Draft, said: list[Said]) -> None:
    for role, whose in (("user", "the caller's"), ("assistant", "the agent's")):
        of_role = [one for one in said if one.role == role]
        textless = sum(not one.text for one in of_role)
        if textless:
            draft.notices.append(
                f"no words for {textless} of {len(of_role)} of {whose} turns: give transcript= or "
                "recogniser="
            )
        if any(one.text and not one.words for one in of_role):
            draft.notices.append(f"no word times of {whose}: a text stands where its sound begins")
    if not any(one.llm_at or one.tts_at for one in said):
        draft.notices.append(
            "no parts of the latencies: only their totals are known, and stand under 'output'"
        )


def _events_of(one: Said) -> list[ev.Event]:
    return _user_events(one) if one.role == "user" else _agent_events(one)


def _user_events(one: Said) -> list[ev.Event]:
    start, end = one.spans[0][0], one.spans[-1][1]
    found: list[ev.Event] = [ev.UserTurnStarted(at=start)]
    for begin, stop in one.spans:
        text = one.text if len(one.spans) == 1 and one.text else None
        found += [
            ev.UserSpeechStarted(at=begin, cause="vad", start_secs=0.0),
            ev.CallerSpoke(at=begin, text=text, end=round(stop, 6)),
            ev.UserSpeechStopped(at=stop, cause="vad", stop_secs=0.0),
        ]
    final_at = max(end, one.final_at or end)
    decided = max(end, one.decided_at or final_at)
    if one.text:
        words = [list(word) for word in one.words]
        found.append(ev.Transcribed(at=final_at, text=one.text, words=words))
        found.append(ev.UserTurnAdded(at=max(decided, final_at), text=one.text))
    found.append(ev.UserTurnStopped(at=decided))
    return found


def _agent_events(one: Said) -> list[ev.Event]:
    start, end = one.spans[0][0], one.spans[-1][1]
    found: list[ev.Event] = []
    if one.llm_at is not None:
        found.append(ev.LLMTextGenerated(at=min(one.llm_at, start), text=one.text))
    if one.tts_at is not None:
        found.append(ev.AudioSynthesized(at=min(one.tts_at, start)))
    for number, (begin, stop) in enumerate(one.spans, start=1):
        cut = bool(one.interrupted) and number == len(one.spans)
        found.append(ev.AgentSpeechStarted(at=begin))
        if number == 1 and one.text and not one.words:
            found.append(ev.WordSpoken(at=begin, text=one.text, timed=False))
        if cut:
            found.append(ev.AgentInterrupted(at=stop, cause="user", speaking=True))
        found.append(ev.AgentSpeechStopped(at=stop, cause="interrupted" if cut else "finished"))
    for word, begin, _ in one.words:
        found.append(ev.WordSpoken(at=min(max(begin, start), end), text=word))
    if one.text:
        found.append(ev.AgentTurnAdded(at=end, text=one.text))
    return found


def _tools_of(draft: Draft) -> list[ev.Event]:
    found: list[ev.Event] = []
    for number, tool in enumerate(sorted(draft.tools, key=lambda tool: tool.at), start=1):
        name = tool.name
        found.append(ev.ToolCalled(at=tool.at, name=name, arguments=tool.arguments, number=number))
        if tool.end is not None:
            returned = ev.ToolReturned(
                at=max(tool.at, tool.end), name=name, number=number, result=tool.result,
                error=tool.error,
            )  # fmt: skip
            found.append(returned)
    return found
