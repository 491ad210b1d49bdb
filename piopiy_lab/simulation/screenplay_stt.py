"""The "screenplay" recogniser: hands on what the scripted caller really said, and when.

No model: it reads the screenplay. With it a session runs on any sentence, without keys, as fast
as virtual time allows; what it can't show is how a real recogniser mishears.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator

from pipecat.frames.frames import (
    Frame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService
from pipecat.utils.time import time_now_iso8601

from piopiy_lab.checks.arguments import check_secs
from piopiy_lab.errors import ArgumentError, ServiceError
from piopiy_lab.screenplay.spoken_words import SpokenWord
from piopiy_lab.session.session import Session, current_session
from piopiy_lab.simulation.seams import user_of

#: Seconds from the end of a sound to its transcript when there is no detector to say so.
UNDETECTED_SECS = 0.3
#: Seconds from the last sound by which the pipeline may count on the transcript. It comes with the
#: detector's stop, so this must be more than any ``stop_secs``: else a turn with a pause in it ends
#: on the first part's words before the second part's are there (so too in ``offline.stt``).
FINAL_SECS = 1.0


class ScreenplaySTTService(STTService):
    """A recogniser that knows the screenplay."""

    def __init__(
        self, *, error_rate: float = 0.0, seed: int = 0, interim_secs: float | None = None
    ) -> None:
        """Make the service.

        Args:
            error_rate: The part of the words that get lost or replaced, 0 to 1.
            seed: Which words those are.
            interim_secs: Seconds after a word's end at which it is told as an interim, as streaming
                recognisers do (0.2, say; as it was said, without errors); None for no interims.

        Raises:
            ArgumentError: The rate or the seconds are out of range.
        """
        if not 0 <= error_rate <= 1:
            raise ArgumentError(f"error_rate={error_rate!r}: give a number from 0 to 1")
        if interim_secs is not None:
            check_secs("interim_secs", interim_secs, zero=True)
        super().__init__(
            settings=STTSettings(model="screenplay", language=None), ttfs_p99_latency=FINAL_SECS
        )
        self._error_rate = error_rate
        self._random = random.Random(seed)
        self._interim_secs = interim_secs
        self._told = 0  # words of the script, up to the last one in an interim
        self._session: Session | None = None
        self._handed_on = 0  # words of the script that were handed on
        self._detected = False  # whether a detector says where speech is
        self._late: asyncio.TimerHandle | None = None

    def can_generate_metrics(self) -> bool:
        """It reports its latency like any recogniser."""
        return True

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Find the session and its script.

        Raises:
            ServiceError: There is no session, so no scripted caller.
        """
        await super().setup(setup)
        session = current_session()
        if session is None or session.settings.origin != "caller":
            raise ServiceError(
                "the 'screenplay' recogniser reads a scripted caller's words, and this call has "
                "no scripted caller: use it with simulate(create_session, Caller()...)"
            )
        self._session, self._handed_on, self._detected = session, 0, False
        self._told = 0
        session.script.sound_ended.append(self._sound_ended)

    async def cleanup(self) -> None:
        """Let the session go."""
        if self._session is not None and self._sound_ended in self._session.script.sound_ended:
            self._session.script.sound_ended.remove(self._sound_ended)
        if self._late is not None:
            self._late.cancel()
        await super().cleanup()

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Hear nothing: the words come from the script."""
        if self._interim_secs is None or self._session is None:
            return
        heard_by = self._session.now() - self._interim_secs
        unfinished = self._session.script.words[self._handed_on :]
        spoken = [word.text for word in unfinished if word.end <= heard_by]
        if self._handed_on + len(spoken) > self._told:
            self._told = self._handed_on + len(spoken)
            text = " ".join(spoken)
            yield InterimTranscriptionFrame(text, user_of(self), time_now_iso8601())

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Hand on the words when the detector says that the caller is silent."""
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStartedSpeakingFrame):
            self._detected = True
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            await self._hand_on()

    def hear_listeners(self) -> None:
        """Nothing to get ready: it knows every word."""

    async def hear_out(self) -> None:
        """Hand on the words of a voice that is over, and that no detector was sure of."""
        await self._hand_on()

    def _sound_ended(self) -> None:
        if not self._detected:
            loop = asyncio.get_running_loop()
            self._late = loop.call_later(UNDETECTED_SECS, lambda: self.create_task(self._hand_on()))

    async def _hand_on(self) -> None:
        session = self._session
        if session is None:
            return
        now = session.now()
        spoken = [word for word in session.script.words[self._handed_on :] if word.end <= now]
        self._handed_on += len(spoken)
        self._told = max(self._told, self._handed_on)
        heard = [word for word in map(self._mishear, spoken) if word is not None]
        if not heard:
            return
        self.request_finalize()
        self.confirm_finalize()
        await self.push_frame(
            TranscriptionFrame(
                " ".join(word.text for word in heard),
                user_of(self),
                time_now_iso8601(),
                result={"words": [[word.text, word.start, word.end] for word in heard]},
            )
        )

    def _mishear(self, word: SpokenWord) -> SpokenWord | None:
        """Return the word, or with the error rate's chance None or another."""
        if self._random.random() >= self._error_rate:
            return word
        if self._random.random() < 0.5:
            return None
        letters = list(word.text)
        self._random.shuffle(letters)
        return SpokenWord("".join(letters), word.start, word.end)
