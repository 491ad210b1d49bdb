"""From the call of a stimulus to what the definitions count. Pure.

What the agent's side sounds like is taken from the recording, and what it decided from the log.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from piopiy_lab import events as ev
from piopiy_lab.bench.end_of_turn import Silence
from piopiy_lab.bench.reactions import SILENT, Reaction, reaction_of
from piopiy_lab.bench.scripting import LISTENS_SECS
from piopiy_lab.bench.stimuli import Kind, Stimulus
from piopiy_lab.bench.timeline import TICK_SECS, Label, Said, Timeline
from piopiy_lab.call.call import Call
from piopiy_lab.sound.pcm import Int16

#: Shorter silences in the agent's sound are its own: closures of a "p" or "t", a breath.
BRIDGED_SECS = 0.15
#: A caller's sound begins where it is above this part of its peak.
HEARD_PART = 0.05
#: Decimals of a silence's seconds: the log's times are whole microseconds, so that a pause of 0.9 s
#: is one of 0.900001 there.
ROUNDED = 4
#: What the public definitions call a stimulus.
_LABELS: dict[Kind, Label] = {
    "backchannel": "backchannel",
    "interruption": "turn",
    "noise": "tic",
    "aside": "aside",
    "pause": "turn",
    "end": "turn",
}


@dataclass(frozen=True)
class Measured:
    """What became of one stimulus.

    Attributes:
        stimulus: Which.
        timeline: Who was heard when.
        onset: Seconds of the call's clock at which it is first heard.
        reaction: What the agent's speech did; None if the agent was to be silent.
        interrupted: Seconds from the onset to the agent's interruption; None without one.
        turned: Whether the agent took it for a turn of the caller's.
        answered: Seconds from its end to the agent's next sound after it; None without one. Of a
            noise or an aside into silence to the first after its onset: less than 0 is into it.
        silences: Of a turn: its pauses, and the silence after it.
    """

    stimulus: Stimulus
    timeline: Timeline
    onset: float
    reaction: Reaction | None
    interrupted: float | None
    turned: bool
    answered: float | None
    silences: tuple[Silence, ...] = ()


def undisturbed_reply(call: Call) -> Int16 | None:
    """Return the agent's reply in the call without a stimulus, from its first sound on."""
    question = call.events.of(ev.CallerSpoke)[-1]
    agent, rate = agent_sound(call)
    return _from_first_sound(agent, round(question.end * rate))


def measure(stimulus: Stimulus, call: Call, undisturbed: Int16 | None) -> Measured:
    """Return what became of a stimulus.

    Args:
        stimulus: Which.
        call: Its call, passed.
        undisturbed: As :func:`undisturbed_reply` gives it; None if it isn't known.
    """
    *before, spoke = call.events.of(ev.CallerSpoke)
    agent, rate = agent_sound(call)
    caller = np.asarray(call.recording)[:, 0]
    onset = _onset(caller, rate, spoke.at, spoke.end)
    spans = _spans(agent, rate)
    said = [Said(one.at, one.end, "set-up") for one in before]
    said.append(Said(spoke.at, spoke.end, _LABELS[stimulus.kind]))
    secs = call.duration
    is_turn = stimulus.kind in ("pause", "end")
    if _LABELS[stimulus.kind] == "turn":
        said.append(Said(secs, secs + TICK_SECS, "again"))
        secs += TICK_SECS
    reaction = None
    if stimulus.during == "speech":
        reply_at = before[-1].end if before else 0.0
        until = min(call.duration, onset + LISTENS_SECS)
        reaction = reaction_of(agent, rate, onset, reply_at, undisturbed, until)
    cuts = [one.at for one in call.events.of(ev.AgentInterrupted) if one.at >= onset]
    to_ignore = stimulus.during == "silence" and stimulus.kind in ("noise", "aside")
    after = onset if to_ignore else spoke.end
    answers = [start for start, _ in spans if start >= after]
    return Measured(
        stimulus=stimulus,
        timeline=Timeline(tuple(said), spans, secs),
        onset=onset,
        reaction=reaction,
        interrupted=cuts[0] - onset if cuts else None,
        turned=any(one.at >= onset for one in call.events.of(ev.UserTurnAdded)),
        answered=answers[0] - spoke.end if answers else None,
        silences=_silences(call, spoke, spans, stimulus.holds) if is_turn else (),
    )


def agent_spans(call: Call) -> tuple[tuple[float, float], ...]:
    """Return where the agent is heard, in seconds; short silences of its own belong to it."""
    return _spans(*agent_sound(call))


def agent_sound(call: Call) -> tuple[Int16, int]:
    """Return the agent's side of a call, int16 of (n,), and its Hz."""
    recording = call.recording
    return np.ascontiguousarray(np.asarray(recording)[:, 1]), recording.sample_rate


def _from_first_sound(samples: Int16, start: int) -> Int16 | None:
    found = np.flatnonzero(np.abs(samples[start:].astype(np.int32)) > SILENT)
    return samples[start + int(found[0]) :] if len(found) else None


def _onset(caller: Int16, rate: int, start: float, end: float) -> float:
    """Return when a caller's sound is first heard, seconds of the call's clock."""
    piece = np.abs(caller[round(start * rate) : round(end * rate)].astype(np.int32))
    if not len(piece) or not piece.any():
        return start
    return start + int(np.argmax(piece > HEARD_PART * piece.max())) / rate


def _spans(agent: Int16, rate: int) -> tuple[tuple[float, float], ...]:
    loud = np.flatnonzero(np.abs(agent.astype(np.int32)) > SILENT)
    if not len(loud):
        return ()
    breaks = np.flatnonzero(np.diff(loud) > BRIDGED_SECS * rate)
    starts = loud[np.concatenate([[0], breaks + 1])]
    ends = loud[np.concatenate([breaks, [len(loud) - 1]])] + 1
    return tuple((int(a) / rate, int(b) / rate) for a, b in zip(starts, ends, strict=True))


def _silences(
    call: Call,
    spoke: ev.CallerSpoke,
    spans: tuple[tuple[float, float], ...],
    holds: tuple[tuple[float, float], ...],
) -> tuple[Silence, ...]:
    """Return a turn's pauses and the silence after it, and whether the agent took its chance."""
    parts = [(float(start), float(end)) for _, start, end in spoke.parts or ()]
    edges = [(a[1], b[0]) for a, b in zip(parts, parts[1:], strict=False)]
    edges += [(spoke.at + start, spoke.at + end) for start, end in holds]
    edges.append((spoke.end, call.duration))
    ends = [one.at for one in call.events.of(ev.UserTurnStopped)]
    starts = [start for start, _ in spans]
    found: list[Silence] = []
    for place, (start, end) in enumerate(edges):
        took = [at for at in (*ends, *starts) if start <= at <= end]
        looks = tuple(
            (round(one.at - start, 6), one.probability)
            for one in call.events.of(ev.TurnPredicted)
            if start <= one.at <= end
        )
        found.append(
            Silence(
                label="end" if place == len(edges) - 1 else "hold",
                secs=round(end - start, ROUNDED),
                scores=looks,
                fired=min(took) - start if took else None,
            )
        )
    return tuple(found)
