"""``call.robustness(n=30)``: how sure the verdicts on a call's pauses are.

Detector and turn model alone hear the caller again, changed by what nobody hears. No live call
begins on a simulation's grid of frames, and no two callers are equally loud: a verdict that moves
with such a thing is a coin that fell, and this is its other side.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from piopiy_lab import display
from piopiy_lab import events as ev
from piopiy_lab.call.record import CallRecord
from piopiy_lab.call.robustness import KEY, PauseVerdict, Robustness
from piopiy_lab.call.saved import keep_in_meta
from piopiy_lab.call.shares import share_of
from piopiy_lab.call.stop_windows import StopWindow
from piopiy_lab.checks.arguments import check_count
from piopiy_lab.errors import ArgumentError, CallError
from piopiy_lab.listening.turn_models import SMART_TURN, Asking, TurnModel
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.turn_lab.beside import beside_turns
from piopiy_lab.turn_lab.judged import RATE
from piopiy_lab.turn_lab.judging import NEAR_SECS, Gap, judged
from piopiy_lab.turn_lab.listened import EARLY_LOOK_SECS, Listened
from piopiy_lab.turn_lab.rule import Rule
from piopiy_lab.turn_lab.spans import Span
from piopiy_lab.turn_lab.spoken import SpokenTurn, turns_of

#: The most by which the sound is later, in seconds: two and a half windows of the detector.
MOST_LATER_SECS = 0.08
#: The most by which it is louder or quieter, in dB.
MOST_GAIN_DB = 3.0
#: Hz that the sound is brought to and back, to see whether numerics alone change a verdict.
PROBED_RATES = (24000, 44100, 48000)
#: Seconds of silence until the detector is sure, of those that the panel's slider has.
STOP_WINDOWS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2)
#: Seconds that are no time at all.
INSTANT = 1e-6
#: More runs than this are a mistake.
MOST_RUNS = 1000
#: The detectors that are Silero as pipecat has it.
DETECTORS = ("SileroVADAnalyzer", "SharedSileroVADAnalyzer")
#: Rates in Hz that the detector's model knows.
KNOWN_RATES = (8000, 16000)


@dataclass(frozen=True)
class Nudge:
    """What becomes of a sound in one run.

    Attributes:
        later: Samples of silence before it.
        gain_db: What is added to its level.
        rate: Hz that it is brought to and back; None: it is not.
    """

    later: int = 0
    gain_db: float = 0.0
    rate: int | None = None

    def of(self, samples: Int16, rate: int) -> Int16:
        """Return the sound, int16 of (n,) at a rate in Hz, changed."""
        if self.rate is not None:
            there = pcm.resample(samples, rate, self.rate)
            samples = pcm.resample(there, self.rate, rate)[: len(samples)]
        if self.gain_db:
            louder = np.rint(samples.astype(np.float64) * 10 ** (self.gain_db / 20))
            samples = np.clip(louder, -32768, 32767).astype(np.int16)
        return np.concatenate([np.zeros(self.later, np.int16), samples])


def nudges(n: int, seed: int, rate: int) -> list[Nudge]:
    """Return what becomes of a sound in ``n`` runs: the same for the same seed, run by run.

    Args:
        n: Runs.
        seed: Of the draws.
        rate: The sound's, in Hz.
    """
    found: list[Nudge] = []
    for number in range(1, n + 1):
        draws = random.Random(f"robustness {seed} {number}")
        later = draws.randrange(round(MOST_LATER_SECS * rate) + 1)
        found.append(Nudge(later, draws.uniform(-MOST_GAIN_DB, MOST_GAIN_DB)))
    return found


def robustness(
    call: CallRecord, n: int = 30, *, seed: int = 1, turn_model: TurnModel | None = None
) -> Robustness:
    """Find out how sure a call's verdicts are; behind ``Call.robustness``.

    Args:
        call: An ended call.
        n: Runs, 1 to 1000.
        seed: Of what is changed in them.
        turn_model: The call's, where it had another than Smart Turn.

    Raises:
        ArgumentError, ArgumentTypeError: ``n``, ``seed`` or ``turn_model`` is none.
        CallError: The call runs, has no sound, or no turns that detector and turn model ended; or
            they were others than what would be asked.
    """
    check_count("n", n, least=1, of="robustness")
    if n > MOST_RUNS:
        raise ArgumentError(f"robustness(n={n!r}): give {MOST_RUNS} runs at the most")
    check_count("seed", seed, least=0, of="robustness")
    asked = None
    if turn_model is not None:
        asked = Asking(turn_model, of="robustness(turn_model=...)")
    if call.state != "ended":
        raise CallError(
            f"call {call.call_id} is still running; wait for its end, await call.wait()"
        )
    rule, known = rule_of(call, asked), call.known_robustness
    wanted = n, seed, rule.turn_model
    if known is not None and (known.n, known.seed, known.turn_model) == wanted and known.stops:
        return known
    found = _found_out(call, n, seed, rule, asked)
    call.meta[KEY] = found.to_json()
    if call.folder is not None:
        keep_in_meta(call.folder, KEY, call.meta[KEY])
    return found


def rule_of(call: CallRecord, asked: Asking | None = None) -> Rule:
    """Return the settings of detector and turn rule that a call began with.

    Args:
        call: The call.
        asked: The turn model that is asked again; None: Smart Turn.

    Raises:
        CallError: Nothing of ours ended its turns, so there is nothing to be run again; or another
            detector or turn model did, whose verdicts nobody knows but they.
    """
    started = next(iter(call.events.of(ev.PipelineStarted)), None)
    looks = call.events.of(ev.TurnPredicted)
    if started is None or not started.vad_params or not looks:
        raise CallError(
            f"call {call.call_id} has no verdicts of a detector and a turn model, so there are "
            "none to look at again: its turns were ended by a service, its voices were too short "
            "for the detector, or it had none"
        )
    if started.vad not in DETECTORS:
        raise CallError(
            f"call {call.call_id}'s voices were found by {started.vad}, and what is run again is "
            "Silero, as pipecat has it: its verdicts would be none of this call's"
        )
    ended_by, asks = started.turn_model, SMART_TURN if asked is None else asked.name
    if ended_by == "":
        raise CallError(
            f"call {call.call_id}'s turns were ended by a rule of its own, and nobody knows which "
            "model's verdicts it had"
        )
    if ended_by not in (None, asks):
        advice = "call.robustness(turn_model=...)" if asked is None else "or none"
        raise CallError(
            f"call {call.call_id}'s turns were ended by {ended_by}, so the verdicts of {asks} are "
            f"none of this call's: give its own model, {advice}"
        )
    early = any(look.early for look in looks)
    settings = dict(started.vad_params)
    return Rule(
        **settings,
        threshold=started.turn_params.get("turn_threshold", Rule.threshold),
        wait_secs=started.turn_params.get("incomplete_wait_secs", Rule.wait_secs),
        look_secs=EARLY_LOOK_SECS if early else None,
        turn_model=asks,
    )


@dataclass(frozen=True)
class CallersSound:
    """The caller of a call, as the agent heard them.

    Attributes:
        samples: int16, (n,).
        rate: Hz: 16000 or 8000.
        begins: The call's seconds of the first sample.
        sizes: Samples of each frame that they came in; None where nobody knows.
    """

    samples: Int16
    rate: int
    begins: float
    sizes: tuple[int, ...] | None


def sound_of(call: CallRecord) -> CallersSound:
    """Return the caller's sound as the agent heard it.

    Of a call that hasn't kept that it is the recording's caller.

    Raises:
        CallError: The call has no sound.
    """
    heard = call.heard
    sizes: tuple[int, ...] | None = None
    if heard is not None and len(heard.samples):
        samples, rate, begins = heard.samples, heard.sample_rate, heard.frames.begins
        sizes = tuple(heard.frames.sizes())
    else:
        samples, rate, begins = call.recording.caller, call.sample_rate, 0.0
    if not samples.any():
        raise CallError(
            f"call {call.call_id} has no sound of its caller: it ran with record=False, or nobody "
            "spoke"
        )
    if rate not in KNOWN_RATES:
        samples, rate, sizes = pcm.resample(samples, rate, RATE), RATE, None
    whole = sizes is not None and sum(sizes) == len(samples)
    return CallersSound(samples, rate, begins, sizes if whole else None)


def _found_out(call: CallRecord, n: int, seed: int, rule: Rule, asked: Asking | None) -> Robustness:
    models = {} if asked is None else {asked.name: asked}
    sound = sound_of(call)
    rate, begins = sound.rate, sound.begins
    turns, beside = turns_of(call), beside_turns(call)
    bar = display.progress()
    kinds = [Nudge(), *nudges(n, seed, rate), *(Nudge(rate=other) for other in PROBED_RATES)]
    runs: list[tuple[Gap, ...]] = []
    stops: tuple[StopWindow, ...] = ()
    try:
        for number, nudge in enumerate(kinds):
            if bar is not None:
                bar.update(number / len(kinds), f"{number} of {len(kinds)} runs")
            sizes = None if nudge.later else sound.sizes
            listened = Listened(nudge.of(sound.samples, rate), rate, sizes, models)
            later = nudge.later / rate - begins
            course = listened.course(rule, [(start + later, end + later) for start, end in beside])
            gaps = judged(course, [turn.moved(later) for turn in turns])
            runs.append(tuple(_moved(gap, -later) for gap in gaps))
            if not number:  # the sound as it was
                stops = tuple(_stop_windows(listened, rule, turns, beside, begins))
    finally:
        if bar is not None:
            bar.close()
    pauses = _verdicts(runs[0], runs[1 : n + 1], runs[n + 1 :])
    return Robustness(tuple(pauses), n, seed, rule.to_json(), stops, rule.turn_model)


def _stop_windows(
    listened: Listened,
    rule: Rule,
    turns: Sequence[SpokenTurn],
    beside: Sequence[Span],
    begins: float,
) -> Iterator[StopWindow]:
    """Yield what each stop window does, the call's own among them; turns in the call's seconds."""
    spans = [(start - begins, end - begins) for start, end in beside]
    moved = [turn.moved(-begins) for turn in turns]
    for stop_secs in sorted({*STOP_WINDOWS, rule.stop_secs}):
        other = replace(rule, stop_secs=stop_secs)
        gaps = judged(listened.course(other, spans), moved)
        inside = [gap for gap in gaps if not gap.end]
        delays = [gap.delay for gap in gaps if gap.delay is not None]
        cuts = ((gap.start + begins, gap.secs or 0.0) for gap in inside if gap.cut)
        yield StopWindow(
            stop_secs,
            len(inside),
            tuple((round(at, 3), round(secs, 3)) for at, secs in cuts),
            round(fmean(delays), 3) if delays else None,
        )


def _moved(gap: Gap, secs: float) -> Gap:
    return Gap(gap.turn, gap.start + secs, gap.secs, gap.cut, gap.held, gap.probability, gap.delay)


def _verdicts(
    undisturbed: Sequence[Gap], runs: Sequence[Sequence[Gap]], probes: Sequence[Sequence[Gap]]
) -> Iterator[PauseVerdict]:
    """Yield each pause and end over all runs, in order."""
    everywhere = [gap for run in (undisturbed, *runs, *probes) for gap in run]
    numbers: dict[int, int] = {}
    for turn, start, secs in _places(everywhere):
        if secs is not None:
            numbers[turn] = numbers.get(turn, 0) + 1
        at = [_there(run, turn, start, secs) for run in (undisturbed, *runs, *probes)]
        first, changed, probed = at[0], at[1 : len(runs) + 1], at[len(runs) + 1 :]
        wrong = _wrong(first)
        sure = [gap.probability for gap in changed if gap and gap.probability is not None]
        yield PauseVerdict(
            turn=turn,
            number=None if secs is None else numbers[turn],
            at=round(start, 3),
            secs=None if secs is None else round(secs, 3),
            cut=share_of(sum(gap is not None and gap.cut for gap in changed), len(runs)),
            held=share_of(sum(gap is not None and gap.held for gap in changed), len(runs)),
            undisturbed=wrong,
            probabilities=(round(min(sure), 4), round(max(sure), 4)) if sure else None,
            flips=sum(_wrong(gap) != wrong for gap in probed),
            probes=len(probed),
        )


def _places(gaps: Sequence[Gap]) -> Iterator[tuple[int, float, float | None]]:
    """Yield where there are pauses and ends: turn, seconds and length, in order."""
    before: Gap | None = None
    for gap in sorted(gaps, key=lambda gap: (gap.turn, gap.end, gap.start)):
        new = before is None or (gap.turn, gap.end) != (before.turn, before.end)
        if new or (not gap.end and before is not None and gap.start - before.start > NEAR_SECS):
            yield gap.turn, gap.start, gap.secs
            before = gap


def _there(run: Sequence[Gap], turn: int, start: float, secs: float | None) -> Gap | None:
    same = (gap for gap in run if gap.turn == turn and gap.end == (secs is None))
    near = (gap for gap in same if gap.end or -INSTANT <= gap.start - start <= NEAR_SECS)
    return next(near, None)


def _wrong(gap: Gap | None) -> bool:
    return gap is not None and (gap.held if gap.end else gap.cut)
