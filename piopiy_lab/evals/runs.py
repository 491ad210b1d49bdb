"""One run of one scenario: pipecat's result, and the call behind it. Any thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipecat.evals.results import EvalScriptResult, EvalSimulationResult
from pipecat.evals.scenario import EvalLoadedScenario

from piopiy_lab.call.call import Call
from piopiy_lab.checks.texts import described
from piopiy_lab.events import PipelineStarted
from piopiy_lab.redaction import redact_text, shown

PipecatResult = EvalScriptResult | EvalSimulationResult
Status = Literal["passed", "failed", "skipped", "error"]


#: What pipecat says of a bot that answers nothing, and what it lacks then.
_READY = "bot-ready"
_SILENT = f"{_READY} not received"
_NO_RTVI = (
    "the bot: its pipeline has no RTVIProcessor, by which a bot tells its client what happens: "
    "leave PipelineWorker(enable_rtvi=...) out, or set it to True"
)


@dataclass(frozen=True, kw_only=True, repr=False)
class EvalRun:
    """One run of one scenario.

    Attributes:
        scenario: As pipecat's loader made it.
        label: ``file/scenario``, and the way to the file where another one is called the same.
        attempt: Which run of it this is, from 1; a simulated caller may call several times.
        attempts: How many there are.
        result: pipecat's own: an ``EvalScriptResult`` or ``EvalSimulationResult``; None if it could
            not run.
        call: The call behind it; None if none was begun.
        error: Why it could not run.
        notices: What the verdict rests on that the file does not say.
        wall_secs: Real seconds that it took.
    """

    scenario: EvalLoadedScenario
    label: str = ""
    attempt: int = 1
    attempts: int = 1
    result: PipecatResult | None = None
    call: Call | None = None
    error: BaseException | None = None
    notices: Sequence[str] = ()
    wall_secs: float = 0.0

    def __post_init__(self) -> None:
        """Be called as the scenario is, if nothing else is said."""
        if not self.label:
            object.__setattr__(self, "label", self.scenario.name)

    @property
    def name(self) -> str:
        """The label, with the run's number where there are several."""
        return self.label + (f" #{self.attempt}" if self.attempts > 1 else "")

    @property
    def status(self) -> Status:
        """How it came out; "error": it could not run, or what judges or speaks in it raised."""
        if self.result is None or self.error is not None or self._harness_raised():
            return "error"
        if isinstance(self.result, EvalScriptResult) and self.result.skipped is not None:
            return "skipped"
        return "passed" if self.result.passed else "failed"

    @property
    def passed(self) -> bool:
        """Whether all was as the file expects it."""
        return self.status == "passed"

    def _harness_raised(self) -> bool:
        """Whether it was not the bot that broke the run off: pipecat tells it so."""
        if isinstance(self.result, EvalSimulationResult):
            broken = self.call is not None and self.call.error is not None
            why = self.result.error
            return why is not None and _READY not in why and not broken
        failures = [] if self.result is None else self.result.failures
        return any(failure.kind == "error" for failure in failures)

    @property
    def secs(self) -> float:
        """Virtual seconds of the conversation, as pipecat counts them."""
        return 0.0 if self.result is None else self.result.duration_ms / 1000

    @property
    def reasons(self) -> list[str]:
        """Why it did not pass, without secrets: one text for each failure."""
        return [redact_text(reason) for reason in self._reasons()]

    def _reasons(self) -> list[str]:
        if self.error is not None or self.result is None:
            return [described(self.error)] if self.error is not None else []
        if isinstance(self.result, EvalScriptResult):
            why = [f"{failure} ({failure.kind})" for failure in self.result.failures]
            why += [self.result.skipped] if self.result.skipped is not None else []
        else:
            why = [] if self.result.failure is None else [self.result.failure]
        broken = None if self.call is None else self.call.error
        if why and broken is not None:
            why.append(f"the bot: {described(broken)}")
        elif any(_SILENT in reason for reason in why) and _has_run(self.call):
            why.append(_NO_RTVI)
        return why

    def __str__(self) -> str:
        told = f"{self.status:<7} {shown(self.name)}  {self.secs:.1f} s"
        return "\n".join([told, *(f"        {reason}" for reason in self.reasons)])

    def __repr__(self) -> str:
        return f"<EvalRun {shown(self.name)}: {self.status}, {self.secs:.1f} s>"


def _has_run(call: Call | None) -> bool:
    return call is not None and bool(call.events.of(PipelineStarted))
