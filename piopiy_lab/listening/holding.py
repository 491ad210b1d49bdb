"""Hold, decide, resume or yield: what to do about a voice over the agent's. Pure.

About 0.1 s after somebody begins to speak over the agent its sound is held. When the voice is over,
and the words say, or a short wait without any, that it was a backchannel or a noise, the sound
goes on where it stood; a stop word, enough words, or a second of voice make it an interruption.

The caller hears no difference between a hold and a cut, so a late decision costs an interruption
nothing but the language model's time; for a backchannel it is the gap. Hence the limits: measured
over 52 sounds of six voices (``docs/turn_taking.md``, ``benchmarks/hold.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from piopiy_lab.events.values import HoldMode, ResumeCause
from piopiy_lab.listening.hold_rules import HoldRules
from piopiy_lab.listening.hold_shade import HoldShade
from piopiy_lab.listening.hold_train import HoldTrain
from piopiy_lab.listening.lexicon import words_of
from piopiy_lab.listening.own_level import OwnLevel

#: Why the floor was given up: by words or a stop word, by a voice that went on, and either of them
#: when the sound was there again.
YieldCause = Literal["words", "long", "words, late", "long, late"]


@dataclass(frozen=True)
class Hold:
    """Hold the agent's sound, or hold it otherwise than it is."""

    how: HoldMode


@dataclass(frozen=True)
class Resume:
    """Let it go on."""

    cause: ResumeCause


@dataclass(frozen=True)
class Yield:
    """The caller has the turn."""

    cause: YieldCause


@dataclass(frozen=True)
class HearOut:
    """The voice is over and the detector was not sure of it: a recogniser that waits may look."""


@dataclass(frozen=True)
class Forget:
    """Its words must not lead the caller's next turn."""


@dataclass(frozen=True)
class Kept:
    """It was a backchannel, or words to somebody else."""

    text: str  # "" if no words came
    start: float  # seconds of the call's clock
    end: float
    aside: bool = False


@dataclass(frozen=True)
class Echoes:
    """Again and again it was held for nothing: the voice is most likely the agent's own."""


Move = Hold | Resume | Yield | HearOut | Forget | Kept | Echoes


class Holding:
    """Who has the floor while the agent speaks. Times are seconds of the call's clock."""

    def __init__(self, rules: HoldRules) -> None:
        """Begin with silence on both sides."""
        self.rules = rules
        self.min_words = 0  # words that it takes to interrupt; 0: length does, too. By the strategy
        self.asked_at = -math.inf  # when the agent's last question was heard; by the strategy
        self.agent_speaks = False  # by the strategy
        self.turn = False  # the caller has the turn; by the strategy
        self.listens = False  # a service says that words are a listener's; by the strategy
        self.detected = False  # the detector is sure of a voice; by the strategy
        self._train = HoldTrain()
        self._heard = 0.0  # seconds of sound: a busy machine hears late, not longer; by hear()
        self._streak = self._silence = 0.0  # seconds of voice, of silence; by hear()
        self._level = OwnLevel()  # by hear() and sounds()
        self._forget()

    def _forget(self) -> None:
        self._state: Literal["idle", "held", "resumed"] = "idle"
        self._quiet = False  # it is judged, and the sound not held for it; by _begin()
        self._went_on = 0.0  # when the sound went on; by _resume() and let_go()
        self._held = HoldShade(self.rules)  # how the sound is held
        self._onset = 0.0  # when the voice began
        self._from = 0.0  # and after how many seconds of sound
        self._over_at: float | None = None  # when it was known to be over
        self._ended = 0.0  # when it ended
        self._text, self._final = "", False  # its words
        self._kind: Literal["backchannel", "stop", "words"] | None = None
        self._begun: Literal["stop", "words"] | None = None  # what they are if no more come
        self._cause: ResumeCause = "short"
        self._sure = False  # the detector was sure of it; by _follow()
        self._heard_out = False  # a recogniser was asked for the words of a voice that is over

    @property
    def silent_secs(self) -> float:
        """For how long no voice was heard."""
        return self._silence

    @property
    def holds(self) -> bool:
        """Whether the sound is held, and it is not decided yet."""
        return self._state == "held" and not self._quiet

    @property
    def how(self) -> HoldMode:
        """How the sound is held, if it is."""
        return self._held.how

    @property
    def decides(self) -> bool:
        """Whether a voice over the agent's is being judged, or the agent speaks: it may be."""
        return self._state != "idle" or self.agent_speaks

    def let_go(self, now: float) -> None:
        """Take note that the sound is not held any more, by somebody else's doing."""
        self._state, self._cause, self._went_on = "resumed", "watchdog", now
        if self._over_at is None:
            self._over_at, self._ended = now, now

    def forget(self) -> None:
        """Forget a voice; what is heard of it later is another one."""
        self._streak = self._silence = 0.0
        self._forget()

    def close(self) -> list[Move]:
        """Wait for no more words of a voice that was kept."""
        return self._close() if self._state == "resumed" else []

    def begin_turn(self) -> None:
        """Take note that the caller has the turn; nothing is held then."""
        if not self.turn and self._silence < self.rules.over_secs:
            self._level.claim()
        self.turn = True
        self._forget()

    def end_turn(self) -> None:
        """Take note that the caller's turn is over."""
        self.turn = False

    # --- the detector's windows ----------------------------------------------------------------

    def hear(self, confidences: Sequence[float], window_secs: float) -> None:
        """Take the detector's judgements of windows, in their order; 0..1, of so many seconds."""
        for confidence in confidences:
            self._heard += window_secs
            if confidence >= self.rules.voice:
                judged = self._state == "held" or self._over_at is None
                if self._silence >= self.rules.over_secs and (self._state == "idle" or not judged):
                    self._level.begin()
                self._streak, self._silence = self._streak + window_secs, 0.0
            elif confidence < self.rules.silence:
                self._streak, self._silence = 0.0, self._silence + window_secs

    def sounds(self, power: float, secs: float) -> None:
        """Take the sound that was just judged: its mean power, and its length in seconds."""
        if self._streak:
            self._level.take(power, secs, own=self.turn)

    @property
    def _is_aside(self) -> bool:
        """Whether this voice is too low to be for the agent."""
        least, lower = self.rules.aside_db, self._level.lower_db
        return least is not None and lower is not None and lower >= least

    def turn_away(self, now: float) -> bool:
        """Return whether a voice that the detector is sure of, and no agent speaks, is an aside."""
        if self.turn or self.agent_speaks or not self._is_aside:
            return False
        if self._state == "idle":
            self._forget()
            self._state, self._cause = "resumed", "aside"
            self._onset, self._from = now - self._streak, self._heard - self._streak
        return True

    def look(self, now: float) -> list[Move]:
        """Decide what can be decided by what was heard up to ``now``."""
        if self._state != "idle":
            self._follow(now)
        match self._state:
            case "idle":
                return self._begin(now)
            case "held":
                return self._decide(now)
            case "resumed":
                return self._after(now)

    def _follow(self, now: float) -> None:
        self._sure = self._sure or self.detected
        if self._silence >= self.rules.over_secs - 1e-9:
            if self._over_at is None:
                self._over_at, self._ended = now, self._onset + self._voice_secs
        elif self._streak >= self.rules.hold_secs / 2 and self._state == "held":
            self._over_at = None

    @property
    def _voice_secs(self) -> float:
        """How long the voice has been, by its sound."""
        return self._heard - self._silence - self._from

    def _begin(self, now: float) -> list[Move]:
        voice = self._streak >= self.rules.hold_secs - 1e-9
        if not (voice and self.agent_speaks) or self.turn:
            return []
        self._forget()
        self._state, self._onset = "held", now - self._streak
        self._from = self._heard - self._streak
        self._quiet = not self._train.allows(now)
        return [] if self._quiet else [Hold(self._held.how)]

    def _decide(self, now: float) -> list[Move]:
        rules, over = self.rules, self._over_at
        if self._is_enough():
            return [Yield("words")]
        if over is None:
            short = self._voice_secs < rules.longest_secs - 1e-9
            if short or self._held.may_be_echo(self._heard, self._silence):
                return self._shade()
            if self._kind == "backchannel":
                return self._resume(now, "backchannel")
            if self._is_aside:
                return self._resume(now, "aside")
            return [Yield("long")] if self._length_counts else self._resume(now, "long")
        if self._ended - self._onset < rules.shortest_secs:
            return self._resume(now, "noise")
        if self._kind == "backchannel":
            return self._resume(now, "backchannel")
        if not self._heard_out and not self._sure and rules.by_words:
            self._heard_out = True
            return [HearOut(), *self._shade()]
        unclear = self._final and self._kind is None
        if unclear or not rules.by_words or now - over >= rules.wait_secs - 1e-9:
            self._kind = self._begun or self._kind
            if self._is_enough():
                return [Yield("words")]
            if self._is_aside:
                return self._resume(now, "aside")
            long = self._sure and self._ended - self._onset >= rules.unclear_secs
            if unclear and long and not self.min_words and not self._quiet:
                return [Yield("long")]
            return self._resume(now, "short")
        return self._shade()

    def _shade(self) -> list[Move]:
        """Hold the sound otherwise, if it is to be so by now, and there is one."""
        if self._quiet or not self.agent_speaks:
            return []
        silence = self._silence if self._over_at is None else math.inf
        listens = self._kind == "backchannel" or self._is_aside
        changed = self._held.change(self._heard, self._voice_secs, silence, listens=listens)
        return [Hold(self._held.how)] if changed else []

    @property
    def _length_counts(self) -> bool:
        """Whether a voice takes the floor by its length; an echo lasts as long as the agent."""
        echoes = self._quiet and self.rules.by_words
        return self.detected and not self.min_words and not echoes

    def _resume(self, now: float, cause: ResumeCause) -> list[Move]:
        self._state, self._cause, self._went_on = "resumed", cause, now
        told = self._close() if self._final and self._over_at is not None else []
        return told if self._quiet else [Resume(cause), *told]

    def _close(self) -> list[Move]:
        """Tell of a backchannel whose last word has come; a noise without words was none."""
        aside = self._is_aside and self._kind != "backchannel"
        kept = Kept(self._text, self._onset, max(self._ended, self._onset), aside)
        wordless = self._quiet or self._cause == "noise"
        told: list[Move] = [kept] if self._text or not wordless else []
        if aside:
            self._level.doubt()
        if self._text:
            self._train.worded(self._went_on)
        elif self._went_on and not self._quiet and self._train.wordless(self._onset, self._went_on):
            told += [Echoes()] if self._train.rests > 1 else []
        self._forget()
        return told

    def _after(self, now: float) -> list[Move]:
        if self._over_at is None:
            if self._cause == "aside" and not self._is_aside and not self.agent_speaks:
                return [Yield("long, late")]  # it has turned to the phone
            long = self._voice_secs > self.rules.longest_secs + 0.3 and self._kind is None
            if long and self.agent_speaks and self._length_counts and not self._is_aside:
                return [Yield("long, late")]
            return []
        if self._streak >= self.rules.hold_secs - 1e-9 and self.agent_speaks and not self.turn:
            return [*self._close(), *self._begin(now)]  # another voice
        waited = now - self._over_at > self.rules.late_secs
        return self._close() if waited or self._final else []

    # --- words ---------------------------------------------------------------------------------

    def words(self, now: float, text: str, *, final: bool) -> list[Move] | None:
        """Take a transcript, or what a recogniser has of one; None: it is as if nobody spoke.

        Args:
            now: When it came.
            text: What was heard so far of this utterance.
            final: Whether that is all of it.
        """
        low = self._is_aside and self._silence <= self.rules.late_secs
        if self.turn or (self._state == "idle" and not self.agent_speaks and not low):
            return None
        if self._state == "idle":  # the detector heard nothing of it
            self._onset = self._ended = self._over_at = now
        self._take(text, final)
        enough = self._is_enough()
        match self._state:
            case "held":
                if enough:
                    return [Yield("words")]
                return [Forget(), *self.look(now)] if final else self.look(now)
            case "resumed":
                if enough:
                    return [Yield("words, late")]
                over = self._over_at is not None
                return [Forget(), *(self._close() if over else [])] if final else []
            case "idle":
                heard, listens = self._text, self._kind == "backchannel"
                onset = self._onset
                self._forget()
                if enough:
                    return [Yield("words")]
                aside = low and not listens and bool(heard)
                if aside and final:
                    self._level.doubt()
                kept = [Kept(heard, onset, now, aside)] if listens or aside else []
                return [Forget(), *kept] if final else []

    def _take(self, text: str, final: bool) -> None:
        self._text, self._final = (text if words_of(text) else ""), final
        self._begun = None
        match self.rules.lexicon.judge(text):
            case "answer":
                asked = self._onset - self.asked_at <= self.rules.answer_secs
                self._kind = "stop" if asked else "backchannel"
            case "words" | "stop" as kind if not final and self.rules.lexicon.may_become(text):
                self._kind, self._begun = None, kind
            case kind:
                self._kind = kind
        self._kind = "backchannel" if self.listens else self._kind

    def _is_enough(self) -> bool:
        """Whether its words take the floor: two where more may come, one of what is final."""
        if self._kind not in ("stop", "words") or self._is_aside:
            return False
        one = self._final or self._kind == "stop"
        return len(words_of(self._text)) >= max(self.min_words, 1 if one else 2)
