"""``run_eval``: pipecat's eval files against a bot or a session, each scenario on virtual time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace as changed

from pipecat.evals.scenario import EvalLoadedScenario, EvalSimulationScenario
from pipecat.evals.session import EvalSessionParams

from piopiy_lab.checks.arguments import check_flag, check_number, check_text
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, BotError
from piopiy_lab.evals.cast import Cast, Parts
from piopiy_lab.evals.files import Scenarios, labels_of, load
from piopiy_lab.evals.playing import Setting, play
from piopiy_lab.evals.report import EvalReport
from piopiy_lab.evals.runs import EvalRun
from piopiy_lab.redaction import redact_text
from piopiy_lab.session.callback import as_callback, parse_metadata
from piopiy_lab.session.replacing import check_replace
from piopiy_lab.simulation.current import refuse_nested_simulation
from piopiy_lab.simulation.limits import Limits
from piopiy_lab.simulation.simulate import STAND_INS

#: Told of each run as it ends.
OnRun = Callable[[EvalRun], object]


async def run_eval(
    scenario: Scenarios,
    bot: Callable[..., object],
    *,
    only: str | None = None,
    replace: Mapping[str, object] | None = None,
    judge: object = None,
    voice: object = None,
    transcription: object = None,
    persona: object = None,
    metadata: object = None,
    timeout_secs: float = 60.0,
    record: bool = True,
    limits: Limits | None = None,
    on_run: OnRun | None = None,
) -> EvalReport:
    """Run pipecat's eval files; from a script: ``asyncio.run(run_eval(...))``.

    Each scenario is a call of its own in virtual time, on the calling thread. pipecat's own client
    talks to the bot, and its own matcher decides.

    Args:
        scenario: An eval file, a folder of them, what ``EvalScenarioFile.load`` returned, or
            several. Names and keys are checked first, which pipecat's loader does not do.
        bot: A pipecat bot, ``async def bot(runner_args)``, the vendor's ``bot(transport, call)``,
            or a session callback as for ``simulate``, whose VoiceAgent then speaks RTVI.
        only: Run the scenarios with this in their name.
        replace: Services to put in place of the bot's, and functions in the place of its tools', as
            for ``simulate``.
        judge: Who decides ``eval:``: ``"rules"`` (words, no LLM), a classifier of pipecat's, an LLM
            service, an ``EvalJudge`` (each run has one as it was given), or a function that makes
            one of them for each run. None: as the file says, and rules where nobody answers there.
        voice: The user's voice: the name of an offline one, or a function that makes a TTS service.
            None: as the file says, and an offline one where that is not installed.
        transcription: Who hears the bot for ``response`` in audio modality: ``"spoken_words"``, or
            a function that makes an STT service. None: as the file says, or spoken words.
        persona: Who thinks for a simulated caller: an LLM service, for a single run, or a function
            that makes one for each.
        metadata: What the bot is told: its ``runner_args.body``.
        timeout_secs: Virtual seconds for an expectation without ``within_ms``.
        record: Whether the calls' audio is kept.
        limits: How far each simulation may go.
        on_run: Called with each run as it ends.

    Returns:
        The runs, with pipecat's results and the calls behind them.

    Raises:
        EvalFileError: A file is none, or says what the harness would pass over; no LLM for a
            simulated caller.
        ArgumentError: No scenario is called ``only``, or a value can't be used.
        ArgumentTypeError: A value has the wrong type.

    All of these before any run. What keeps a run from running (a factory that raises, say) is that
    run's ``error``.
    """
    refuse_nested_simulation()
    check_flag("record", record)
    if on_run is not None and not callable(on_run):
        raise ArgumentTypeError(f"on_run={on_run!r}: give a function that takes an EvalRun")
    session = as_callback(bot)
    setting = Setting(
        bot=session,
        replace=check_replace(replace, session, STAND_INS),
        metadata=parse_metadata(metadata),
        record=record,
        limits=limits,
        params=EvalSessionParams(
            default_timeout_ms=round(1000 * check_number("timeout_secs", timeout_secs, 0.001, 1e6))
        ),
    )
    cast = Cast(judge=judge, voice=voice, transcription=transcription, persona=persona)
    notices: list[str] = []
    chosen = [(each, cast.parts(each)) for each in _chosen(load(scenario, notices), only)]
    cast.check_runs(sum(_simulated_runs(each) for each, _ in chosen))
    runs: list[EvalRun] = []
    labels = labels_of([each for each, _ in chosen])
    for (each, parts), label in zip(chosen, labels, strict=True):
        attempts = _simulated_runs(each) or 1
        for attempt in range(1, attempts + 1):
            run = await _run(parts, setting)
            run = changed(run, label=label, attempt=attempt, attempts=attempts)
            runs.append(run)
            if on_run is not None:
                on_run(run)
    return EvalReport(runs, _name(bot), notices)


async def _run(parts: Parts, setting: Setting) -> EvalRun:
    """Run a scenario once; what keeps it from running is in the run's ``error``."""
    began = time.monotonic()
    run = EvalRun(scenario=parts.scenario)
    played = await play(parts, setting)
    cannot = played.error
    if played.call is not None and isinstance(played.call.error, BotError | ArgumentError):
        cannot = cannot or played.call.error
    run = changed(run, result=played.result, call=played.call, error=cannot)
    notices = tuple(map(redact_text, parts.notices))  # some are of who was made for the run
    return changed(run, notices=notices, wall_secs=time.monotonic() - began)


def _simulated_runs(scenario: EvalLoadedScenario) -> int:
    """Return how often a simulated caller calls; 0 where the caller is scripted."""
    return scenario.runs if isinstance(scenario, EvalSimulationScenario) else 0


def _chosen(scenarios: list[EvalLoadedScenario], only: str | None) -> list[EvalLoadedScenario]:
    if only is None:
        return scenarios
    check_text("only", only)
    chosen = [scenario for scenario in scenarios if only in scenario.name]
    if not chosen:
        names = ", ".join(scenario.name for scenario in scenarios)
        raise ArgumentError(f"only={only!r}: no scenario has that in its name: {names}")
    return chosen


def _name(bot: Callable[..., object]) -> str:
    return str(getattr(bot, "__name__", type(bot).__name__))
