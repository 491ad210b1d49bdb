"""pipecat's eval files on virtual time: pipecat's own verdicts, at the speed of a simulation.

The harness that pipecat ships starts a bot as a process and talks to it over a WebSocket, in real
time. Here both run on one virtual loop: pipecat's eval client at one end of a line in memory, the
bot at the other. What decides a verdict is pipecat's own code, unchanged.

``espeak``, ``spoken_words`` and ``rules`` are for a file's ``factory:`` lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from piopiy_lab.evals.judging import RuleClassifier, RuleJudge, rules
    from piopiy_lab.evals.report import EvalReport
    from piopiy_lab.evals.running import run_eval
    from piopiy_lab.evals.runs import EvalRun
    from piopiy_lab.evals.voices import espeak, spoken_words

_HOME = {
    "EvalReport": "piopiy_lab.evals.report",
    "EvalRun": "piopiy_lab.evals.runs",
    "RuleClassifier": "piopiy_lab.evals.judging",
    "RuleJudge": "piopiy_lab.evals.judging",
    "espeak": "piopiy_lab.evals.voices",
    "rules": "piopiy_lab.evals.judging",
    "run_eval": "piopiy_lab.evals.running",
    "spoken_words": "piopiy_lab.evals.voices",
}

__all__ = [
    "EvalReport",
    "EvalRun",
    "RuleClassifier",
    "RuleJudge",
    "espeak",
    "rules",
    "run_eval",
    "spoken_words",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module 'piopiy_lab.evals' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
