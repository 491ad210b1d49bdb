"""What a timeline shows of a call, as plain values: spans, marks, the detector's curve.

Pure: it reads the call's log and computed views, and knows neither matplotlib nor pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from piopiy_lab import events as ev
from piopiy_lab.display.shown import ShownCall, ShownEntry, ShownTurn
from piopiy_lab.display.wording import called, compact
from piopiy_lab.redaction import shown

#: Keys pressed within this many seconds of each other are one mark.
KEYPAD_PAUSE_SECS = 1.0
#: What the detector's settings are called in ``PipelineStarted.vad_params``.
VAD_LIMITS = ("confidence", "min_volume")


@dataclass(frozen=True)
class Span:
    """A stretch of time, in seconds of the call's clock."""

    start: float
    end: float


@dataclass(frozen=True)
class Mark(Span):
    """Something with a label: a "tool", "key", "error", "switch", "note" or "cut"."""

    kind: str
    label: str
    failed: bool = False


@dataclass(frozen=True)
class Risk(Span):
    """A caller's pause, and in how many runs it would have been cut.

    Attributes:
        label: The count, "4/30".
        interval: The share's 95 % interval, ".05–.30".
        some: Whether there was such a run.
    """

    label: str
    interval: str
    some: bool


@dataclass(frozen=True)
class Limits(Span):
    """The detector's thresholds as they stood for a while; None where they are not known."""

    confidence: float | None
    min_volume: float | None


@dataclass
class Story:
    """Everything that a timeline draws. Times are seconds of the call's clock."""

    end: float
    entries: list[ShownEntry] = field(default_factory=list["ShownEntry"])
    turns: list[ShownTurn] = field(default_factory=list["ShownTurn"])
    user_speech: list[Span] = field(default_factory=list[Span])
    user_turns: list[Span] = field(default_factory=list[Span])
    agent_speech: list[Span] = field(default_factory=list[Span])
    muted: list[Span] = field(default_factory=list[Span])
    held: list[Span] = field(default_factory=list[Span])
    #: What a listener said over the agent's words, and no turn.
    backchannels: list[Span] = field(default_factory=list[Span])
    interruptions: list[float] = field(default_factory=list[float])
    #: The caller's pauses, if somebody has found out in how many runs they would have been cut.
    risks: list[Risk] = field(default_factory=list[Risk])
    predictions: list[ev.TurnPredicted] = field(default_factory=list[ev.TurnPredicted])
    marks: list[Mark] = field(default_factory=list[Mark])
    limits: list[Limits] = field(default_factory=list[Limits])
    vad: list[ev.VADSampled] = field(default_factory=list[ev.VADSampled])


def read_story(call: ShownCall) -> Story:
    """Collect what a timeline shows of ``call``; a running call's open spans end now.

    Safe from any thread. O(n) in the number of events.
    """
    events = list(call.events)
    end = max(call.duration, *(event.at for event in events)) if events else call.duration
    story = Story(end, list(call.transcript), list(call.turns))
    _read_sides(story, events)
    story.interruptions = [e.at for e in events if isinstance(e, ev.AgentInterrupted)]
    judged = [e for e in events if isinstance(e, ev.TurnPredicted)]
    story.predictions = [e for e in judged if e.outcome == "used"]
    story.vad = [e for e in events if isinstance(e, ev.VADSampled)]
    story.limits = _limits(events, end)
    story.risks = list(_risks(call))
    story.marks = sorted([*_tools(call, end), *_marks(events)], key=lambda mark: mark.start)
    return story


def _risks(call: ShownCall) -> Iterator[Risk]:
    """Yield the caller's pauses, and in how many runs each would have been cut."""
    for pause in getattr(call, "known_robustness", None) or ():
        if pause.number is not None:
            cut, end = pause.cut, pause.at + (pause.secs or 0.0)
            interval = f"{_short(cut.low)}–{_short(cut.high)}"
            yield Risk(pause.at, end, f"{cut.count}/{cut.n}", interval, cut.count > 0)


def _short(share: float) -> str:
    return f"{share:.2f}".removeprefix("0") if share >= 0.005 else "0"


def _read_sides(story: Story, events: Iterable[ev.Event]) -> None:
    speech: float | None = None
    turn: float | None = None
    agent: float | None = None
    mute: float | None = None
    held: float | None = None
    for e in events:
        match e:
            case ev.UserSpeechStarted():
                speech = max(0.0, e.at - e.start_secs) if speech is None else speech
            case ev.UserSpeechStopped() if speech is not None:
                story.user_speech.append(Span(speech, max(speech, e.at - e.stop_secs)))
                speech = None
            case ev.UserTurnStarted():
                turn = e.at if turn is None else turn
            case ev.UserTurnStopped() if turn is not None:
                story.user_turns.append(Span(turn, e.at))
                turn = None
            case ev.AgentSpeechStarted():
                agent = e.at if agent is None else agent
            case ev.AgentSpeechStopped() if agent is not None:
                story.agent_speech.append(Span(agent, e.at))
                agent = None
            case ev.AgentSpeechHeld():
                held = e.at if held is None else held
            case ev.AgentSpeechResumed() | ev.AgentInterrupted() if held is not None:
                story.held.append(Span(held, e.at))
                held = None
            case ev.BackchannelHeard():
                story.backchannels.append(Span(e.start, e.end))
            case ev.UserMuted(muted=True):
                mute = e.at if mute is None else mute
            case ev.UserMuted() if mute is not None:
                story.muted.append(Span(mute, e.at))
                mute = None
            case _:
                pass
    open_spans = (
        (speech, story.user_speech),
        (turn, story.user_turns),
        (agent, story.agent_speech),
        (mute, story.muted),
        (held, story.held),
    )
    for start, spans in open_spans:
        if start is not None:
            spans.append(Span(start, story.end))


def _limits(events: Iterable[ev.Event], end: float) -> list[Limits]:
    """Return the thresholds over time, from the pipeline's start through each change."""
    found: list[tuple[float, dict[str, float]]] = []
    for e in events:
        match e:
            case ev.PipelineStarted() if e.vad_params:
                found.append((e.at, dict(e.vad_params)))
            case ev.SettingsChanged() if any(name in e.new for name in VAD_LIMITS):
                found.append((e.at, {**(found[-1][1] if found else {}), **e.new}))
            case _:
                pass
    ends = [*(at for at, _ in found[1:]), end][: len(found)]
    return [
        Limits(at, until, values.get("confidence"), values.get("min_volume"))
        for (at, values), until in zip(found, ends, strict=True)
    ]


def _tools(call: ShownCall, end: float) -> list[Mark]:
    marks: list[Mark] = []
    for tool in call.tool_calls:
        label = called(tool.name, tool.arguments)
        failed = bool(tool.error) or tool.status == "cancelled"
        if tool.error:
            label += f" failed: {compact(str(tool.error), 30)}"
        elif tool.status == "cancelled":
            label += " cancelled"
        elif tool.end is None:
            label += " …"
        else:
            label += f" → {compact(tool.result, 30)}"
        marks.append(Mark(tool.start, end if tool.end is None else tool.end, "tool", label, failed))
    return marks


def _marks(events: Iterable[ev.Event]) -> list[Mark]:
    marks: list[Mark] = []
    keys: int | None = None  # the latest mark of keys, which may grow
    for e in events:
        match e:
            case ev.DTMFReceived():
                last = marks[keys] if keys is not None else None
                if keys is not None and last and e.at - last.end <= KEYPAD_PAUSE_SECS:
                    marks[keys] = Mark(last.start, e.at, "key", last.label + e.digit)
                else:
                    keys = len(marks)
                    marks.append(Mark(e.at, e.at, "key", f"keys {e.digit}"))
            case ev.CallerSpoke() if e.beside:
                label = e.beside if e.text is None else f"{e.beside}: {shown(e.text)}"
                marks.append(Mark(e.at, e.end, "note", label))
            case ev.CallerStayedSilent():
                marks.append(Mark(e.at, e.end, "note", "the caller stays silent"))
            case _:
                if (labelled := _label(e)) is not None:
                    kind, label = labelled
                    marks.append(Mark(e.at, e.at, kind, label, failed=kind == "error"))
    return marks


def _label(e: ev.Event) -> tuple[str, str] | None:
    """Return the kind and the label of an event that is a mark by itself; None of others."""
    match e:
        case ev.AgentInterrupted():
            return "cut", f"interrupted by {_WHO.get(e.cause, e.cause)}"
        case ev.ErrorOccurred():
            return "error", shown(f"{e.source}: {e.message}")
        case ev.TurnLost():
            return "error", shown(e.message)
        case ev.CallerStepFailed():
            return "error", shown(f"step {e.number} {e.step}: {e.why}")
        case ev.AudioDropped():
            return "error", f"{e.where} {e.cause}, {e.secs * 1000:.0f} ms of audio"
        case ev.ServiceSwitched():
            return "switch", f"{e.kind}: {e.old} → {e.new} ({e.cause})"
        case ev.SettingsChanged():
            return "note", _changed(e)
        case ev.InstructionsChanged():
            return "note", "new instructions"
        case _:
            return None


def _changed(e: ev.SettingsChanged) -> str:
    changes = (
        f"{name} {e.old[name]:g} → {value:g}" if name in e.old else f"{name} {value:g}"
        for name, value in e.new.items()
        if e.old.get(name) != value
    )
    return ", ".join(changes)


_WHO = {"user": "the caller", "typed": "typed text", "keypad": "a key", "command": "interrupt()"}
