"""The limits of the hold rule. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from piopiy_lab.events.values import HoldManner
from piopiy_lab.listening.lexicon import LEXICONS, Lexicon


@dataclass(frozen=True, kw_only=True)
class HoldRules:
    """The limits.

    Attributes:
        how: Whether the sound waits, goes on 20 dB lower, or first the one and then the other.
        lexicon: The words of the caller's language.
        deepen_secs: Seconds of a voice after which a sound that is lower falls silent, as long as
            the voice goes on; for "duck_then_pause".
        lift_secs: Seconds of silence after which it is low again.
        proof_secs: Seconds of a voice in the agent's silence by which it is no echo.
        hold_secs: Seconds of a voice before the sound is held: three of Silero's windows.
        voice: The detector's confidence from which on a window is a voice ...
        silence: ... and below which it is none; in between it is what it was.
        over_secs: Seconds of silence after which a voice is over.
        shortest_secs: A shorter voice is a noise; nobody waits for its words.
        wait_secs: Seconds to wait for words when a voice is over.
        longest_secs: A longer voice without a backchannel's words is an interruption.
        unclear_secs: A voice of so much that a recogniser had no words for is one, too: of the
            bench's "tune" half, by the offline recogniser, no listener's lasted longer than 0.77 s
            and no interruption less than 0.83.
        late_secs: Seconds after a voice in which its words still count.
        answer_secs: Seconds after a question of the agent's in which a "yes" answers it.
        by_words: Whether words come in time to decide by; else its length alone does.
        aside_db: A voice so many dB lower than the caller's own is to somebody else, whatever it
            says; None: nobody looks.
    """

    how: HoldManner = "duck_then_pause"
    deepen_secs: float = 0.5
    lift_secs: float = 0.064
    proof_secs: float = 0.3
    lexicon: Lexicon = field(default_factory=lambda: LEXICONS["en"])
    hold_secs: float = 0.096
    voice: float = 0.7
    silence: float = 0.4
    over_secs: float = 0.096
    shortest_secs: float = 0.16
    wait_secs: float = 0.15
    longest_secs: float = 1.0
    unclear_secs: float = 0.82
    late_secs: float = 1.2
    answer_secs: float = 4.0
    by_words: bool = True
    aside_db: float | None = None
