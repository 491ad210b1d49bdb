"""``BenchReport``: what an agent did about each stimulus, counted and shown."""

from __future__ import annotations

from collections.abc import Sequence

from piopiy_lab.bench.measuring import Measured
from piopiy_lab.bench.stimuli import Stimulus
from piopiy_lab.bench.tau_voice import Panel, panel
from piopiy_lab.experiments.figures.listing import text_table
from piopiy_lab.redaction import shown


class BenchReport:
    """An agent's turn-taking, by the public definitions and by ours."""

    def __init__(
        self,
        measured: Sequence[Measured],
        failed: Sequence[tuple[Stimulus, str]] = (),
        notices: Sequence[str] = (),
    ) -> None:
        """Take what was measured; :func:`run_bench` makes it."""
        self.measured = tuple(measured)
        self.failed = tuple(failed)
        self.notices = tuple(notices)
        self.tau: Panel = panel([one.timeline for one in self.measured])

    def text(self) -> str:
        """Return the table as text."""
        tau = self.tau
        rows = [["S_BC", str(tau.s_bc)], ["R_Y", str(tau.r_y)], ["L_Y", str(tau.l_y)]]
        lines = [text_table(["figure", "this agent"], rows)]
        lines += [f"note: {shown(notice)}" for notice in self.notices]
        lines += [f"not measured: {one.id}: {shown(why)}" for one, why in self.failed]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()
