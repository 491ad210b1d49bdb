"""``CallRow``: one call of many, as figures and short texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.call.latency import PARTS
from piopiy_lab.call.packed import course_print, fingerprint
from piopiy_lab.events.tools import arguments_text
from piopiy_lab.experiments.figures.made_of import made_of
from piopiy_lab.experiments.figures.missing import missing_answers
from piopiy_lab.experiments.figures.pauses import Pause, pauses_of
from piopiy_lab.experiments.figures.usage import usage_of
from piopiy_lab.experiments.figures.word_errors import NO_WORDS, errors_of
from piopiy_lab.redaction import redact_text

#: What became of a call: it was as wanted; a step or check of it failed, or it ended with an error;
#: there was none, for its session or caller raised; virtual time stood still; its worker died.
Kind = Literal["passed", "failed", "raised", "hung", "died"]


@dataclass(frozen=True)
class TurnRow:
    """One answered turn of a call, as figures.

    Attributes:
        at: Seconds of the call's clock when the caller's speech ended.
        total: Seconds from there to the first sound of the answer.
        parts: The same seconds by stage, in the order of ``piopiy_lab.call.latency.PARTS``.
        tool_secs: Seconds of it in which a tool ran.
        words: What the caller was taken to have said.
        end: The turn model's last probability before the answer that the turn was over, 0 to 1;
            None without such a model.
    """

    at: float
    total: float
    parts: tuple[float, ...]
    tool_secs: float = 0.0
    words: str = ""
    end: float | None = None


@dataclass(frozen=True)
class CallRow:
    """One call of many.

    Equal rows are equal calls: what its computing took is not compared.

    Attributes:
        index: Its place among all calls, from 0.
        caller: Who called.
        run: Which of that caller's calls, from 1.
        seed: Of ``perturb=`` in :func:`simulate`, which gives this call again; None if unchanged.
        kind: "passed", "failed", "raised", "hung" or "died".
        error: Why it did not pass, as a text with the place in the session's code.
        failing_step: The caller's step that failed, or the name of the check; None otherwise.
        end_reason: As ``Call.end_reason``.
        secs: Its length in seconds.
        answers: Seconds from the end of each of the caller's turns to the answer, in order.
        missing: How many answers never came: the caller spoke on, hung up, or the call ended.
        interruptions: How often the agent was interrupted.
        tools: Names of the tools that were called, in order.
        tool_args: What they were called with, in the same order, as short texts.
        heard: What the agent took the caller to have said, turn by turn.
        ends: The turn model's probabilities at the caller's pauses, in order, 0 to 1.
        tokens: Tokens that the services reported, prompt and completion.
        characters: Characters that were spoken, as the voices reported.
        turn_rows: Its answered turns, one by one.
        pauses: The caller's pauses, in order; each a
            :class:`~piopiy_lab.experiments.figures.pauses.Pause`.
        words: How many words the screenplay says; 0 if not all of it is text.
        word_errors: How many of them were not understood: the fewest words to exchange, add and
            leave out.
        usage: What each service of the call reported, by its name: "prompt_tokens",
            "completion_tokens", "characters" and the like.
        params: Of a sweep: the parameters of this call.
        unit: Whose recording the caller is, where several are of one and the same caller: they are
            resampled as one. "" where the caller is a caller of their own.
        made_of: Fingerprints of what the agent had to do with: of the caller's "words", "voice" and
            "manner", and of the "line" if there was one.
        sha: The call's fingerprint: the same for calls that are the same byte for byte. "" if there
            was none.
        course: A fingerprint of what both sides heard, what was understood and what the tools did:
            the same for calls that went the same way, whatever the agent was made of.
        kept: Whether the call itself is there.
        cpu_secs: CPU seconds of the process that ran it, meanwhile.
        worker: The process that ran it.
    """

    index: int
    caller: str
    run: int
    seed: int | None = None
    kind: Kind = "passed"
    error: str | None = None
    failing_step: str | None = None
    end_reason: str | None = None
    secs: float = 0.0
    answers: tuple[float, ...] = ()
    missing: int = 0
    interruptions: int = 0
    tools: tuple[str, ...] = ()
    tool_args: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    ends: tuple[float, ...] = ()
    tokens: int = 0
    characters: int = 0
    turn_rows: tuple[TurnRow, ...] = ()
    pauses: tuple[Pause, ...] = ()
    words: int = 0
    word_errors: int = 0
    usage: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    params: Mapping[str, object] = field(default_factory=dict[str, object])
    unit: str = ""
    made_of: Mapping[str, str] = field(default_factory=dict[str, str])
    sha: str = ""
    course: str = ""
    kept: bool = False
    cpu_secs: float = field(default=0.0, compare=False)
    worker: int = field(default=0, compare=False)

    @property
    def passed(self) -> bool:
        """Whether it was as wanted."""
        return self.kind == "passed"

    @property
    def call_id(self) -> str:
        """The call's id."""
        return f"{self.caller}-{self.run}"

    @property
    def whose(self) -> str:
        """Who is resampled: the caller, or of whom all these recordings are."""
        return self.unit or self.caller

    @property
    def lacking(self) -> int:
        """How many answers are in no latency: those missing, one at least if there was no call."""
        return self.missing or int(self.kind in ("raised", "hung", "died") and not self.answers)

    @property
    def turns(self) -> int:
        """How many answers there were."""
        return len(self.answers)

    @property
    def mean(self) -> float | None:
        """Seconds: the mean of its answers, rounded once; None without one."""
        return math.fsum(self.answers) / len(self.answers) if self.answers else None

    def percentile(self, q: float) -> float | None:
        """Return a percentile of its answers in seconds, linearly interpolated; None without one.

        Args:
            q: 0 to 100.
        """
        return percentile(self.answers, q)

    @property
    def p50(self) -> float | None:
        """Seconds: the median of its answers; None without one."""
        return self.percentile(50)

    @property
    def p95(self) -> float | None:
        """Seconds: the 95th percentile of its answers, of few about their longest."""
        return self.percentile(95)


def percentile(values: tuple[float, ...] | list[float], q: float) -> float | None:
    """Return a percentile, linearly interpolated (numpy's default rule); None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * q / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def figures_of(call: Call, line_seed: int = 0) -> dict[str, object]:
    """Return what a row has of a call that took place, without whether it passed.

    Args:
        call: The call.
        line_seed: By how much its line's seed is more than that of the first run.
    """
    failed = call.events.of(ev.CallerStepFailed)
    metrics = call.events.of(ev.MetricsReported)
    tools = call.tool_calls
    said = errors_of(call) or NO_WORDS
    return {
        "failing_step": failed[0].step if failed else None,
        "end_reason": call.end_reason,
        "secs": round(call.duration, 6),
        "answers": tuple(turn.total for turn in call.turns),
        "missing": missing_answers(call.events),
        "interruptions": len(call.events.of(ev.AgentInterrupted)),
        "tools": tuple(tool.name for tool in tools),
        "tool_args": tuple(redact_text(arguments_text(tool.arguments)) for tool in tools),
        "heard": tuple(redact_text(e.text) for e in call.transcript if e.role == "user"),
        "ends": tuple(
            p.probability for p in call.events.of(ev.TurnPredicted) if p.outcome == "used"
        ),
        "tokens": round(sum(m.value for m in metrics if m.name in _TOKENS)),
        "characters": round(sum(m.value for m in metrics if m.name == "characters")),
        "turn_rows": turn_rows_of(call),
        "pauses": pauses_of(call.events),
        "words": said.words,
        "word_errors": said.errors,
        "usage": usage_of(call.events),
        "made_of": made_of(call.meta, line_seed),
        "course": course_print(call),
        "sha": fingerprint(call.events, call.sample_source),
    }


def turn_rows_of(call: Call) -> tuple[TurnRow, ...]:
    """Return a call's answered turns as rows."""
    asked = [look for look in call.events.of(ev.TurnPredicted) if look.outcome == "used"]
    rows: list[TurnRow] = []
    since = 0.0
    for turn in call.turns:
        ends = [p.probability for p in asked if since < p.at <= turn.answered]
        since = turn.answered
        rows.append(
            TurnRow(
                at=round(turn.start, 6),
                total=turn.total,
                parts=tuple(turn.parts[name] for name in PARTS),
                tool_secs=turn.tool_secs,
                words=redact_text(turn.user),
                end=ends[-1] if ends else None,
            )
        )
    return tuple(rows)


_TOKENS = ("prompt_tokens", "completion_tokens")
