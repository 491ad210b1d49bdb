"""How the agent's sound is held until it is decided: silent, low, or first the one. Pure.

In "duck_then_pause" it is low, silent for a voice that goes on, and low again when that is over;
once in a hold, for a voice that is back with the sound, and gone with it, is its echo.
"""

from __future__ import annotations

from piopiy_lab.events.values import HoldMode
from piopiy_lab.listening.hold_rules import HoldRules


class HoldShade:
    """How one hold is. Times are seconds of sound that was heard."""

    def __init__(self, rules: HoldRules) -> None:
        """Begin a hold."""
        self._rules = rules
        self.how: HoldMode = "pause" if rules.how == "pause" else "duck"  # by change()
        self._changed = 0.0  # since when; by change()
        self._lifted = False  # it was silent and then low again; by change()

    def change(self, heard: float, voice: float, silence: float, *, listens: bool) -> bool:
        """Take note of what was heard, and return whether the sound is held otherwise now.

        Args:
            heard: What was heard so far.
            voice: How long the voice has been.
            silence: For how long there was none.
            listens: Whether it is known to be no interruption.
        """
        rules = self._rules
        if rules.how != "duck_then_pause":
            return False
        goes_on = silence < rules.lift_secs - 1e-9
        if self.how == "pause":
            silent = goes_on or self._lifted
        else:
            silent = goes_on and voice >= rules.deepen_secs - 1e-9
        how: HoldMode = "pause" if silent and not listens else "duck"
        if how == self.how:
            return False
        self.how, self._changed = how, heard
        self._lifted = self._lifted or how == "duck"
        return True

    def may_be_echo(self, heard: float, silence: float) -> bool:
        """Return whether the voice came back with the sound, and wasn't heard without it since."""
        alone = heard - silence - self._changed if self.how == "pause" else 0.0
        return self._lifted and alone < self._rules.proof_secs
