"""What a cassette has of a realtime model: what came after which moment, and what can't be said.

A realtime model answered what it heard then. Where the call is no longer that call, nobody knows
what it would have said: that is a miss, or a notice where what is played may still be right.

Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from piopiy_lab.cassette import keys
from piopiy_lab.cassette.moments import OVER, Moment
from piopiy_lab.cassette.tape import Answer
from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import CassetteError

#: Moments that a model answers: one that is not on the tape is a question that it was never asked.
_ASKING = {
    "utterance": "something that the caller says",
    "turn_ended": "an end of the caller's turn",
    "message": "a message",
    "text": "a typed text",
    "result": "a tool's result",
}


class RealtimeTape:
    """The answers of one realtime model."""

    def __init__(
        self,
        answers: list[Answer],
        miss: Callable[[str, str], None],
        notice: Callable[[str], None],
    ) -> None:
        """Take what is on the cassette.

        Args:
            answers: Those of the model.
            miss: Told what was asked, and what is recorded.
            notice: Told what is worth knowing.
        """
        self._by_key = {tuple(one.asked["moment"]): one for one in answers}
        self._miss, self._notice = miss, notice
        #: Whether a scripted caller told of what is said; else the detector counts utterances.
        self.has_acts: bool = any(key[0] == "utterance" for key in self._by_key)
        #: Whether the model's own detector found the turns.
        self.own_detector: bool = any(one.asked.get("own_detector") for one in answers)

    def check(self, origin: str, *, asked_live: bool, detects_turns: bool) -> None:
        """Refuse what can't be played, before the call begins.

        Args:
            origin: What the call is on.
            asked_live: Whether the model is to be asked what is not there.
            detects_turns: Whether the model finds the caller's turns itself, as it is now.

        Raises:
            CassetteError: Nothing is there, or it would be of another call.
        """
        if not self._by_key:
            raise CassetteError(
                "no realtime model is on the cassette, and the agent has one: record it anew with "
                "record_mode='all'"
            )
        if asked_live:
            raise CassetteError(
                "a realtime model keeps the conversation itself, so it can't be asked in the "
                "middle of one that it has not heard: play the cassette with record_mode='none', "
                "or record it anew with 'all'"
            )
        if detects_turns != self.own_detector:
            then, now = ("its own", "the pipeline's") if self.own_detector else (
                "the pipeline's", "its own"
            )  # fmt: skip
            raise CassetteError(
                f"the realtime model of the recording went by {then} detector of turns, and the "
                f"agent's goes by {now}: give it the turn detection that it had, or record it anew "
                "with record_mode='all'"
            )
        if self.has_acts and origin != "caller":
            raise CassetteError(
                "a realtime model's answers hang on what the scripted caller of the recording "
                f"said, and this call is on {origin!r}: play it in simulate(create_session, "
                "caller, cassette=...) with that caller"
            )
        if self.own_detector and not self.has_acts:
            self._notice(
                "the turns are those that the realtime model's own detector found when it was "
                "recorded, and nobody told what was said: if the caller says something else now, "
                "the answers are still those to the recorded call"
            )

    def find(self, moment: Moment) -> Answer | None:
        """Return what came after a moment; None after a miss, and where nothing did."""
        found = self._by_key.get((moment.kind, moment.utterance, moment.number))
        if found is None:
            self._missing(moment)
            return None
        told = found.asked.get("told")
        unknown = moment.kind == "utterance" and None in (told, moment.told)
        if told != moment.told and moment.kind == "interruption":
            self._heard_otherwise(moment)
        elif told != moment.told and not unknown:
            self._miss(_shown(moment.told), _shown(told))
            return None
        found.used = True
        return found

    def _heard_otherwise(self, moment: Moment) -> None:
        now, then = ("cut off", "heard to the end") if moment.told == OVER else (
            "heard to the end", "cut off"
        )  # fmt: skip
        self._notice(
            f"by the caller's utterance {moment.utterance} the agent's answer is {now}, and it was "
            f"{then} when it was recorded: what the model says next is what it said then"
        )

    def _missing(self, moment: Moment) -> None:
        same = [key for key in self._by_key if key[:2] == (moment.kind, moment.utterance)]
        if moment.kind == "interruption":
            self._notice(
                f"the model's answer is interrupted in the caller's utterance {moment.utterance}, "
                "and was not when it was recorded: it ends here, and what the model would have "
                "said next is not on the cassette"
            )
        if moment.kind not in _ASKING or (moment.kind == "turn_ended" and self.own_detector):
            return
        if moment.kind == "utterance":
            recorded = f"{sum(key[0] == 'utterance' for key in self._by_key)} utterances"
            asked = f"the caller's utterance {moment.utterance}"
        else:
            recorded = f"{len(same)} of them"
            asked = f"{_ASKING[moment.kind]}, number {moment.number}"
            if moment.utterance:
                asked += f" in the utterance {moment.utterance}"
        told = "" if moment.told is None else f": {_shown(moment.told)}"
        self._miss(asked + told, recorded)

    def compare(self, asked: Record, found: Answer) -> list[str]:
        """Compare what a model begins with; returns what of its prompt is another one.

        Other messages are a miss.
        """
        if asked["said"] != found.asked["said"]:
            self._miss(*keys.difference(asked["said"], found.asked["said"]))
        return [what for what in ("instructions", "tools") if asked[what] != found.asked[what]]

    def beyond_the_cut(self, moment: Moment) -> None:
        """Take note of an answer that was cut off when it was recorded, and isn't now."""
        self._notice(
            f"the model's answer after the caller's utterance {moment.utterance} was interrupted "
            "when it was recorded and is not now: what would have come after is not on the "
            "cassette, and the answer ends there"
        )


def _shown(told: Any) -> str:
    if isinstance(told, list) and len(told) == 1:
        return keys.shown_message(told[0])
    return str(told)
