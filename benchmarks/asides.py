"""Words to somebody else by their level: which are left alone, and what it costs who speaks low.

    python benchmarks/asides.py [tune | accept]

The bench's asides and interruptions over the agent's words are called once each; then the hold rule
alone is run over what the detector made of them, with the interruptions turned down, for each
``Action(aside_db=...)``. Words come when the detector is sure of the silence.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from piopiy_lab import events as ev
from piopiy_lab import simulate
from piopiy_lab.bench.agents import plain_session
from piopiy_lab.bench.running import LATENCY
from piopiy_lab.bench.scripting import caller_of
from piopiy_lab.bench.stimuli import load_stimuli
from piopiy_lab.bench.talker import make_talker, make_voice
from piopiy_lab.listening.hold_rules import HoldRules
from piopiy_lab.listening.holding import Holding, Yield
from piopiy_lab.listening.lexicon import MIXED, find_lexicon
from piopiy_lab.listening.own_level import power_of

WINDOW = 0.032
#: The detector's own: how sure and loud a voice is, and for how long.
SURE, LOUD, LONG_SECS = 0.7, 0.6, 0.2
THRESHOLDS = (3, 4, 5, 6, 7, 8, 9, 10, 12, 14)
GAINS = (0, -3, -6, -9)


@dataclass(frozen=True)
class Heard:
    """What one call gave: the caller's sound, the detector's windows, the words, the onset."""

    caller: npt.NDArray[np.int16]
    rate: int
    windows: tuple[ev.VADSampled, ...]
    words: tuple[ev.Transcribed, ...]
    onset: float


async def listen(stimulus) -> Heard:
    """Run the call of a stimulus."""
    replace = {"stt": "screenplay", "llm": make_talker, "tts": make_voice}
    call = await simulate(plain_session, caller_of(stimulus), replace=replace, latency=LATENCY)
    call.raise_for_error()
    onset = call.events.of(ev.CallerSpoke)[-1].at
    recording = call.recording
    return Heard(
        np.asarray(recording)[:, 0].copy(),
        recording.sample_rate,
        tuple(call.events.of(ev.VADSampled)),
        tuple(one for one in call.events.of(ev.Transcribed) if one.at > onset),
        onset,
    )


def interrupts(heard: Heard, rules: HoldRules, gain_db: float = 0.0) -> bool:
    """Return whether the rule takes it for an interruption, turned down by so much."""
    rule = Holding(rules)
    rule.begin_turn()  # the caller's question
    sure = silent = 0
    words = list(heard.words)
    for window in heard.windows:
        own = window.at < heard.onset
        if rule.turn and not own:
            rule.end_turn()
            rule.agent_speaks, rule.detected = True, False
        voice = window.confidence >= SURE and (window.volume or 0.0) >= LOUD
        sure, silent = (sure + 1, 0) if voice else (0, silent + 1)
        if max(sure, silent) * WINDOW >= LONG_SECS - 1e-3:
            rule.detected = sure > silent
        rule.hear([window.confidence], WINDOW)
        ends = round(window.at * heard.rate)
        piece = heard.caller[max(0, ends - round(WINDOW * heard.rate)) : ends]
        rule.sounds(power_of(piece) * (1 if own else 10 ** (gain_db / 10)), WINDOW)
        if own:
            continue
        moves = rule.look(window.at)
        while words and words[0].at <= window.at:
            moves = [*moves, *(rule.words(window.at, words.pop(0).text, final=True) or [])]
        if any(isinstance(move, Yield) for move in moves):
            return True
    return False


async def main() -> None:
    """Print the curve."""
    split = sys.argv[1] if len(sys.argv) > 1 else "tune"
    listed = load_stimuli(kinds=("aside", "interruption"), split=split)
    found: dict[str, list[Heard]] = {"aside": [], "interruption": []}
    for stimulus in listed:
        if stimulus.during == "speech":
            found[stimulus.kind].append(await listen(stimulus))
    asides, own = found["aside"], found["interruption"]
    make = functools.partial(HoldRules, lexicon=find_lexicon(MIXED["en"]))
    print(f"{split}: {len(asides)} asides, {len(own)} interruptions")
    print("aside_db  asides left alone  interruptions lost at", *(f"{g} dB" for g in GAINS))
    for aside_db in (None, *THRESHOLDS):
        rules = make(aside_db=aside_db)
        alone = sum(not interrupts(one, rules) for one in asides)
        lost = [sum(not interrupts(one, rules, gain) for one in own) for gain in GAINS]
        print(f"{aside_db!s:>8}  {alone:>17}  {'':21}", *(f"{n:>4}" for n in lost))


if __name__ == "__main__":
    asyncio.run(main())
