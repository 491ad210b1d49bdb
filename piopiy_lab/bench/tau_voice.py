"""τ-voice's eight interaction metrics, by their own definitions, on ticks of 0.2 s. Pure.

Restated from sierra-research/tau2-bench, ``src/tau2/metrics/voice_interaction_metrics.py`` (metric
version "1.0" of 2026-08-18, read beside "1.1" at commit 2b80cb1) and
``docs/interaction-metrics.md``; nothing of its code is here. What one has to know of them, for they
count so and not as one would think:

- A tick of silence within 1.0 s of a backchannel's beginning is an error, whatever comes after it:
  an agent that pauses and goes on has failed. One that turns its voice down has not.
- A tick of silence within 2.0 s of an interruption's beginning is a yield, also where the agent
  goes on afterwards, and also where it had just come to its sentence's end (and then a backchannel
  counts as an error).
- A noise or words to somebody else that come between turns are an *effect* there, no segment of
  the caller's: nothing that begins in them interrupts a caller, and the agent's segment that they
  fall into must not end up to 1.0 s after their first tick, that tick included: one tick later than
  for a backchannel.
- Every figure in seconds is a multiple of a tick.
- A window is ``int(window / tick)`` ticks: 0.6 s of 0.2 s are two, for 0.6 / 0.2 is 2.999...

What is ours, and why:

- Of effects during the agent's speech only the errors are counted there, so that an agent which
  errs in one of ten has a share of 0; here all of them are counted.
- There a turn with a cough in it is an error if it is answered; here every sound is of one kind.
- There the agent speaks in a tick if it plays anything, silence too; here if it is heard, and
  silences of its own of up to 0.15 s are bridged (``measuring``).
- A caller who isn't answered is taken to speak again when the call ends, for else a turn without
  an answer would count nowhere. That last tick is no stop word, which is dropped there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from piopiy_lab.bench.seconds import Seconds, seconds_of
from piopiy_lab.bench.timeline import TICK_SECS, Label, Segment, Ticks, Timeline
from piopiy_lab.experiments.figures import resampling
from piopiy_lab.experiments.figures.statistics import Share, share_of


@dataclass(frozen=True)
class Windows:
    """Seconds of the definitions; those of the public version.

    Attributes:
        tick: A tick.
        yields: In which an agent that is interrupted has to be silent.
        backchannel: In which one that is backchannelled must not be.
        tic: The same of a noise.
        aside: The same of words to somebody else.
        tic_response: After a noise into silence, in which the agent must not begin.
        aside_response: The same of words to somebody else.
    """

    tick: float = TICK_SECS
    yields: float = 2.0
    backchannel: float = 1.0
    tic: float = 1.0
    aside: float = 1.0
    tic_response: float = 2.0
    aside_response: float = 2.0

    def ticks(self, secs: float) -> int:
        """Return a window in ticks, cut off as there: 0.6 s of 0.2 s are two."""
        return int(secs / self.tick)


@dataclass(frozen=True)
class Panel:
    """The eight numbers.

    Attributes:
        l_r: L_R, seconds from the end of a turn to the agent's sound.
        r_r: R_R, turns that were answered before the caller spoke again.
        l_y: L_Y, seconds from the beginning of an interruption to the agent's silence.
        r_y: R_Y, interruptions after which the agent was silent in time.
        i_a: I_A, how often the agent began while the caller spoke, for each turn; may exceed 1.
        s_bc: S_BC, backchannels that the agent talked through.
        s_vt: S_VT, noises that it neither stopped for nor answered.
        s_nd: S_ND, the same of words to somebody else.
        interrupted: How often the agent began while the caller spoke.
        turns: How many turns wanted an answer.
        by_call: The last two of each call.
    """

    l_r: Seconds
    r_r: Share
    l_y: Seconds
    r_y: Share
    i_a: float | None
    s_bc: Share
    s_vt: Share
    s_nd: Share
    interrupted: int
    turns: int
    by_call: tuple[tuple[int, int], ...] = ()

    def i_a_interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of I_A, calls resampled (2000 times); None of too few calls."""
        if len(self.by_call) < resampling.LEAST_UNITS or not self.turns:
            return None
        names = [str(place) for place in range(len(self.by_call))]
        return resampling.interval(
            resampling.bootstrap(self.by_call, names, resampling.ratio), least=0.0
        )


def panel(timelines: Sequence[Timeline], windows: Windows | None = None) -> Panel:
    """Return the eight numbers of calls, the events of all calls together.

    Args:
        timelines: The calls.
        windows: Other windows than the public ones.
    """
    used = windows or Windows()
    cut = [Ticks(timeline, used.tick) for timeline in timelines]
    answered = [list(responses(ticks)) for ticks in cut]
    answers = [secs for of_call in answered for secs in of_call]
    stops = [secs for ticks in cut for secs in yields(ticks, used)]
    starts = [agent_interruptions(ticks) for ticks in cut]
    began = sum(starts)
    return Panel(
        l_r=seconds_of(answers),
        r_r=_share([secs is not None for secs in answers]),
        l_y=seconds_of(stops),
        r_y=_share([secs is not None for secs in stops]),
        i_a=began / len(answers) if answers else None,
        s_bc=_share([ok for ticks in cut for ok in talked_through(ticks, used)]),
        s_vt=_share([ok for ticks in cut for ok in ignored(ticks, "tic", used)]),
        s_nd=_share([ok for ticks in cut for ok in ignored(ticks, "aside", used)]),
        interrupted=began,
        turns=len(answers),
        by_call=tuple(zip(starts, map(len, answered), strict=True)),
    )


def responses(ticks: Ticks) -> Iterator[float | None]:
    """Yield for each turn the seconds until it was answered; None if it was not (L_R, R_R).

    A turn is a segment of the caller's that is neither backchannel, noise nor aside, after which
    the agent is silent. It is answered by the agent's next segment, if that begins no later than
    the caller's next such turn; a last turn with nothing after it counts nowhere.
    """
    agent = ticks.of_agent()
    turns = [one for one in ticks.of_user() if one.label in _TURNS and _heard_out(ticks, one)]
    for place, turn in enumerate(turns):
        if turn.label != "turn":
            continue
        next_turn = turns[place + 1].start if place + 1 < len(turns) else None
        answer = next((one.start for one in agent if one.start >= turn.end), None)
        if answer is not None and (next_turn is None or answer <= next_turn):
            yield (answer - turn.end) * ticks.tick
        elif next_turn is not None:
            yield None


def yields(ticks: Ticks, windows: Windows) -> Iterator[float | None]:
    """Yield for each interruption the seconds until the agent was silent; None if not (L_Y, R_Y).

    An interruption is a turn that begins while the agent speaks; the agent yields if one of the
    first ``windows.yields`` seconds' ticks, from the turn's first one on, is without its sound.
    """
    for said in ticks.of_user():
        if said.label == "turn" and ticks.agent[said.start]:
            place = _silent_from(ticks, said.start, windows.ticks(windows.yields))
            yield None if place is None else (place - said.start) * ticks.tick


def agent_interruptions(ticks: Ticks) -> int:
    """Return how often a segment of the agent's begins while the caller speaks (I_A).

    A noise and words to somebody else are no speech of the caller's here.
    """
    labels = [ticks.user[one.start] for one in ticks.of_agent()]
    return sum(label in ("turn", "backchannel") for label in labels)


def talked_through(ticks: Ticks, windows: Windows) -> Iterator[bool]:
    """Yield for each backchannel during the agent's speech whether it went on (S_BC).

    It did not if one of the first ``windows.backchannel`` seconds' ticks is without its sound.
    """
    for said in ticks.of_user():
        if said.label == "backchannel" and ticks.agent[said.start]:
            yield _silent_from(ticks, said.start, windows.ticks(windows.backchannel)) is None


def ignored(ticks: Ticks, label: Label, windows: Windows) -> Iterator[bool]:
    """Yield for each noise or aside whether the agent took no notice (S_VT, S_ND).

    During its speech it did if the segment ends within ``tic`` seconds of the sound's beginning; in
    its silence if a segment begins between the sound's beginning and ``tic_response`` seconds after
    its end; ends included.

    Args:
        ticks: The call.
        label: "tic" or "aside".
        windows: The windows.
    """
    tic = label == "tic"
    stops = windows.tic if tic else windows.aside
    answers = windows.ticks(windows.tic_response if tic else windows.aside_response)
    agent = ticks.of_agent()
    for said in ticks.of_user():
        if said.label != label:
            continue
        spoken = next((one for one in agent if one.start <= said.start < one.end), None)
        if spoken is not None:
            yield (spoken.end - said.start) * ticks.tick > stops
        else:
            yield not _begins(agent, said.start, said.end + answers)


#: What a caller says to be answered; "set-up" isn't counted.
_TURNS = ("turn", "again", "set-up")


def _heard_out(ticks: Ticks, turn: Segment) -> bool:
    """Say whether the agent is silent in the tick after a turn."""
    return turn.end >= ticks.count or not ticks.agent[turn.end]


def _begins(agent: Sequence[Segment], first: int, last: int) -> bool:
    return any(first <= one.start <= last for one in agent)


def _silent_from(ticks: Ticks, first: int, count: int) -> int | None:
    """Return the first of so many ticks without the agent's sound."""
    places = range(first, min(first + count, ticks.count))
    return next((place for place in places if not ticks.agent[place]), None)


def _share(flags: Sequence[bool]) -> Share:
    return share_of(sum(flags), len(flags))
