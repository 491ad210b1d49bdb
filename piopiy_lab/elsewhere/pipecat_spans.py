"""``Call.from_pipecat``: the spans that pipecat's tracing wrote, and a recording.

Which attributes there are: ``pipecat/utils/tracing`` of pipecat 1.14.
"""

from __future__ import annotations

import json
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from piopiy_lab import events as ev
from piopiy_lab.call.turns import build_turns
from piopiy_lab.checks.json_values import Record
from piopiy_lab.elsewhere.building import events_of, finish
from piopiy_lab.elsewhere.draft import Draft
from piopiy_lab.elsewhere.hearing import hear
from piopiy_lab.elsewhere.json_files import check_began, wall_clock
from piopiy_lab.elsewhere.otlp_reading import SpanRead, read_spans
from piopiy_lab.elsewhere.otlp_values import OURS
from piopiy_lab.elsewhere.sounds import Given, Sides, read_sides
from piopiy_lab.elsewhere.traced import LATENCY, Traced
from piopiy_lab.errors import ForeignCallError, SavedCallError

if TYPE_CHECKING:
    from piopiy_lab.call.call import Call

C = TypeVar("C", bound="Call")

#: A recording whose latencies differ by more is told of, in seconds.
OFF_SECS = 0.1
#: Hz of the silence of a call without a recording.
SILENT_RATE = 16_000
#: A caller's speech and its span, in seconds: so near they are the same.
SAME_SPEECH_SECS = 0.3


def from_pipecat(
    make: type[C],
    recording: Given | None,
    spans: str | PathLike[str],
    *,
    recording_started: float | None = None,
    conversation_id: str | None = None,
    recogniser: Any = None,
    caller_channel: str | int = "left",
) -> C:
    """Make a call of spans and a recording; see ``Call.from_pipecat``."""
    recording_started = check_began(recording_started)
    found = _of_conversation(read_spans(spans), conversation_id)
    root = next((span for span in found if span.name == "conversation"), None)
    first = root or found[0]
    sides = None if recording is None else read_sides(recording, caller_channel)
    draft = Draft("pipecat", meta=_meta(first, found))
    zero = _zero(draft, first, found, sides, recording_started)
    own = _own_events(found, zero)
    if own:
        draft.notices.append("no judgements of the detector (VADSampled): traces leave them out")
        draft.meta["call_id"] = first.text("conversation.id") or "call"
        return finish(make, draft, sides or _silence(0.0), own)
    secs = (max(span.end for span in found) - zero) / 1e9
    if sides is None:
        draft.notices.append("no sound: when each side was heard is guessed from the spans")
    Traced(draft, found, zero).fill()
    heard, events = events_of(draft, sides or _silence(secs), recogniser)
    if sides is not None:
        _compare(draft, events)
    return finish(make, draft, heard, events)


def _compare(draft: Draft, events: list[ev.Event]) -> None:
    """Say it if the recording's answers come at other times than pipecat measured.

    Its ``AudioBufferProcessor`` fills gaps by the time of day: one side was 0.2 s early.
    """
    told = [e for e in events if isinstance(e, ev.MetricsReported) and e.name == LATENCY]
    off = [
        turn.total - min(told, key=lambda e: abs(e.at - turn.answered)).value
        for turn in build_turns(events)
        if told
    ]
    median = float(np.median(off)) if off else 0.0
    if abs(median) > OFF_SECS:
        draft.notices.append(
            f"the recording's answers come {1000 * median:+.0f} ms from pipecat's own "
            "user_bot_latency (the median): its two sides may not begin at the same moment"
        )


def _of_conversation(spans: list[SpanRead], wanted: str | None) -> list[SpanRead]:
    """Return the spans of one conversation.

    Raises:
        ForeignCallError: There are several, and none is named; or there is no such one.
    """
    roots = {
        span.text("conversation.id") or span.trace: span.trace
        for span in spans
        if span.name == "conversation"
    }
    if wanted is not None and wanted not in roots:
        raise ForeignCallError(
            f"there is no conversation {wanted!r} in the spans; there is "
            f"{', '.join(roots) or 'none'}"
        )
    if wanted is None and len(roots) > 1:
        raise ForeignCallError(
            f"the spans are of {len(roots)} conversations: name one, conversation_id="
            f"{next(iter(roots))!r} say; the others are {', '.join(list(roots)[1:9])}"
        )
    trace = roots[wanted] if wanted is not None else next(iter(roots.values()), spans[0].trace)
    found = [span for span in spans if span.trace == trace]
    known = {"conversation", "turn", "stt", "llm", "tts"}
    if not any(span.name in known or span.name.startswith("llm_") for span in found):
        names = ", ".join(sorted({span.name for span in found})[:9])
        raise ForeignCallError(
            f"none of the spans is pipecat's (conversation, turn, stt, llm, tts): there are {names}"
        )
    return found


def _meta(root: SpanRead, spans: list[SpanRead]) -> Record:
    services: Record = {}
    for span in spans:
        if span.name in ("stt", "llm", "tts") and span.name not in services:
            about = {"class": span.text("gen_ai.provider.name") or "unknown"}
            about |= {"model": span.text("gen_ai.request.model")}
            if span.name == "tts":
                about |= {"voice": span.text("voice_id")}
            services[span.name] = {key: value for key, value in about.items() if value}
    return {"call_id": root.text("conversation.id") or "pipecat", "services": services}


# --- when the recording began ---------------------------------------------------------------


def _zero(
    draft: Draft,
    root: SpanRead,
    spans: list[SpanRead],
    sides: Sides | None,
    recording_started: float | None,
) -> int:
    """Return the wall clock's nanoseconds at the recording's beginning."""
    if recording_started is not None:
        zero = round(recording_started * 1e6) * 1000
        if sides is not None and not -60 < (root.start - zero) / 1e9 < sides.secs + 60:
            raise ForeignCallError(
                f"recording_started={recording_started!r} is "
                f"{abs(root.start - zero) / 1e9:.0f} s from the conversation's beginning, "
                f"{root.start / 1e9:.3f}: give seconds of the wall clock, as time.time() has them"
            )
    else:
        told = _told(root)
        zero = told if told is not None else root.start
        if told is None and sides is not None:
            zero = _fitted(draft, spans, sides, root.start)
    draft.meta["started_at"] = wall_clock(zero / 1e9)
    return zero


def _told(root: SpanRead) -> int | None:
    """Return what the root says of it: as LiveKit's and LangSmith's traces have it."""
    offset = root.number("ls_audio_recording_start_offset_ms")
    if offset is not None:
        return root.start + round(offset * 1e6)
    for name in ("audio_recording_started_at", "ls_audio_recording_started_at"):
        secs = root.number(name)
        if secs is None and root.text(name):
            try:
                secs = datetime.fromisoformat(root.text(name)).timestamp()
            except ValueError:
                continue
        if secs is not None:
            return round((secs / 1e3 if secs > 1e11 else secs) * 1e6) * 1000
    return None


def _fitted(draft: Draft, spans: list[SpanRead], sides: Sides, default: int) -> int:
    """Find the beginning by which the spans fit best what is heard of both sides.

    A detector is late, so the caller is heard up to 0.2 s before an stt span begins; the agent
    is heard a little after its first audio was there. So the agent's sound says it best.
    """
    asked = [s.start / 1e9 for s in spans if s.name == "stt" and s.text("transcript")]
    told = [
        span.start / 1e9 + (span.number("metrics.ttfb") or 0.0)
        for span in spans
        if span.name == "tts" and span.text("text")
    ]
    caller, agent = ([start for start, _ in side] for side in hear(sides))
    best: tuple[list[float], list[float]] = ([], [])
    for begun, heard in ((asked, caller), (told, agent)):
        for zero in (one - start for one in begun for start in heard):
            near = _near(asked, caller, zero), _near(told, agent, zero)
            if (_count(near), -_spread(near)) > (_count(best), -_spread(best)):
                best = near
    if not _count(best):
        draft.notices.append(
            "when the recording began isn't known (recording_started=): taken to be the "
            "conversation's beginning"
        )
        return default
    draft.notices.append(
        f"when the recording began is fitted: {_count(best)} of {len(asked) + len(told)} stt and "
        f"tts spans begin where they are heard, to {1000 * _spread(best):.0f} ms; "
        "recording_started= would say it"
    )
    zero = float(np.median(best[1])) if best[1] else min(best[0])
    return round(zero * 1e6) * 1000


def _count(near: tuple[list[float], list[float]]) -> int:
    return len(near[0]) + len(near[1])


def _spread(near: tuple[list[float], list[float]]) -> float:
    return float(np.ptp([*near[0], *near[1]])) if _count(near) else 0.0


def _near(begun: list[float], heard: list[float], zero: float) -> list[float]:
    """Return the beginnings that each pair which fits this one would give."""
    near: list[float] = []
    for one in begun:
        closest = min((one - start - zero for start in heard), key=abs, default=SAME_SPEECH_SECS)
        if abs(closest) < SAME_SPEECH_SECS:
            near.append(zero + closest)
    return near


# --- what we wrote ourselves ----------------------------------------------------------------


def _own_events(spans: list[SpanRead], zero: int) -> list[ev.Event]:
    """Return the log that ``save_otlp`` wrote: the events of the turns, one turn after another."""
    asked = [span for span in spans if span.name == "llm" and span.text("input")]
    found: list[ev.Event] = []
    for turn in (span for span in spans if span.name == "turn"):
        for name, at, values in turn.events:
            scope, _, kind = name.partition(".")
            if scope != OURS or kind not in ev.Event.kinds:
                continue
            record = {**values, "type": kind, "at": round((at - zero) / 1e9, 6)}
            if kind == "ContextSent":
                sent = next((span for span in asked if span.start == at), None)
                record["messages"] = [] if sent is None else json.loads(sent.text("input"))
                if sent is not None:
                    asked.remove(sent)
            try:
                found.append(ev.from_json(json.dumps(record)))
            except SavedCallError as error:
                raise ForeignCallError(f"an event of a turn's span is broken: {error}") from error
    return found


def _silence(secs: float) -> Sides:
    nothing = np.zeros(round(secs * SILENT_RATE), np.int16)
    return Sides(nothing, SILENT_RATE, nothing, SILENT_RATE)
