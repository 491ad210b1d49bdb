"""Offline speech recognition as a pipecat service: PocketSphinx over a list of phrases.

It listens for the sentences of a :class:`PhraseBook` and nothing else. What was said but is none of
them becomes the transcript ``"[unclear]"``, or ``"[unclear: <nearest sentence>]"``: text, so that
any language model knows that something was said and can ask.

For free speech take a real recogniser: pipecat's Moonshine, Whisper, Deepgram, ...
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    InterimTranscriptionFrame,
    StartFrame,
    STTMuteFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService
from pipecat.utils.time import time_now_iso8601

from piopiy_lab.checks.arguments import is_number
from piopiy_lab.errors import ArgumentError
from piopiy_lab.offline import decoders, lending, narrow_band, recogniser
from piopiy_lab.offline.listeners import is_said_over, with_listeners
from piopiy_lab.offline.phrases import PhraseBook, unclear_text
from piopiy_lab.offline.seams import ServesAgain
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16

#: Seconds of audio from before the detector was sure: it takes 0.2 to 0.4 s from the first sound,
#: and up to 0.7 s when a sentence begins with a short word and a pause ("No, ...").
PRE_ROLL_SECS = 0.8
#: How many times as fast as it comes in the audio from before the detector was sure is decoded.
#: Decoding it at once would hold up the loop, and with it the interruption that speech just began.
CATCH_UP = 3
#: Seconds of audio that are decoded at once where all of it is there: 2 ms of CPU.
STEP_SECS = 0.02
#: Seconds of audio between two looks at the sentence so far.
INTERIM_SECS = 0.2
#: Seconds from the last sound by which the final is there, whatever the detector's ``stop_secs``. A
#: turn ends when its final comes; without one after this long. It must be more than ``stop_secs``,
#: or a turn with a pause in it ends on the first part's text before the second part's is there.
FINAL_SECS = 1.0
#: Seconds of detected speech below which an utterance without any sentence was a noise.
NOISE_SECS = 0.3

_NOISE_NOTICE = (
    "the caller's voice is only {:.0f} dB above what is behind it: the offline recogniser "
    "understands little of that; a real one does better: stack('whisper+...'), or a provider"
)


@dataclass
class PhraseSTTSettings(STTSettings):
    """Settings of :class:`PhraseSTTService`."""


class PhraseSTTService(ServesAgain, STTService):
    """Recognises the sentences of a phrase book, in this process, on the session's loop.

    Works at any input rate (resampled to 16 kHz), with audio in pieces of any length; the same
    audio gives the same transcripts. Decoding takes about 0.1 s of CPU per second of speech; one
    utterance in seven is in doubt and takes half as much again as that at its end, in steps of
    10 ms. Over a telephone's sound, at a rate above 8 kHz, the first utterance takes 0.1 s more.
    """

    Settings = PhraseSTTSettings
    _settings: PhraseSTTSettings  # type: ignore[assignment]  # pipecat's services narrow it too

    #: It can't tell where speech is: ``VoiceAgent.Action`` asks for a detector.
    needs_vad = True
    #: It stands in for a recogniser that can: where nothing was said of one, it brings its own.
    brings_vad = True
    #: Its interims are the grammar's guess at a sentence: no words to interrupt by.
    guesses = True
    #: It keeps nothing of a call, so it can serve one after another.
    reusable = True

    def __init__(
        self,
        book: PhraseBook,
        *,
        rejection_threshold: float = recogniser.REJECTION_THRESHOLD,
        pronunciations: Mapping[str, str] | None = None,
        try_saying: Sequence[str] | None = None,
        settings: PhraseSTTSettings | None = None,
        **kwargs: Any,
    ) -> None:
        """Make the service.

        Args:
            book: The sentences to listen for.
            rejection_threshold: The score above which speech is taken for something else; 0.001
                is strict, 0.003 forgiving (see ``piopiy_lab.offline.rejection``).
            pronunciations: Words that the dictionary lacks, in ARPAbet.
            try_saying: What is shown to a person as examples; three from the book if None.
            settings: pipecat's settings.
            **kwargs: As for pipecat's ``STTService``.

        Raises:
            PhraseError: Words that the dictionary doesn't have; all are named.
            ArgumentError: A threshold that is no positive number, or a wrong pronunciation.
            MissingExtraError: The ``offline`` extra isn't installed.
        """
        if not is_number(rejection_threshold) or not rejection_threshold > 0:
            raise ArgumentError(
                f"rejection_threshold={rejection_threshold!r}: give a number above 0, about 0.002"
            )
        self._pronunciations = dict(pronunciations or {})
        decoders.check_words(book, self._pronunciations)
        default = PhraseSTTSettings(model="en-us", language=None)
        if settings is not None:
            default.apply_update(settings)
        self._arguments = {"ttfs_p99_latency": FINAL_SECS, **kwargs}
        super().__init__(settings=default, **self._arguments)
        self.book = book
        #: Sentences that it understands, to be shown to a person who calls.
        self.try_saying = tuple(dict.fromkeys(try_saying or book.examples(3)))
        self._threshold = float(rejection_threshold)
        self._borrowed: lending.Borrowed | None = None  # from setup() to cleanup()
        self._over_agent: lending.Borrowed | None = None  # the same, where listeners are heard
        self._listeners = False  # by hear_listeners()
        self._forget()

    def hear_listeners(self) -> None:
        """Hear in the next call what listeners say over the agent's words: "mm hmm", "stop".

        What begins while the agent is silent is decoded as ever.
        """
        decoders.check_words(with_listeners(self.book), self._pronunciations)
        self._listeners = True

    def _forget(self) -> None:
        self._pre_roll: deque[Int16] = deque()  # int16 pieces at the input rate
        self._pre_roll_n = 0
        self._resampler: pcm.StreamResampler | None = None  # of the open utterance
        self._began_at = 0.0  # the pipeline clock's seconds of the utterance's first sample
        self._speech_at = 0.0  # and of the detector's start
        self._backlog = np.zeros(0, np.int16)  # at 16 kHz: heard and not decoded yet
        self._unseen = 0  # samples decoded since the last look at the sentence so far
        self._told = False  # that there is noise
        self._interim = ""
        self._listening = False
        self._hearing_out = False  # what was heard is an utterance; by hear_out()
        self._agent_speaks = False  # by process_frame()
        self._at_work: lending.Borrowed | None = None  # of the open utterance; by _begin()

    def can_generate_metrics(self) -> bool:
        """It reports how long after the end of speech the transcript came."""
        return True

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Get a recogniser: 0.2 s the first time for a phrase list, then at once."""
        await super().setup(setup)
        self._forget()
        if self._borrowed is None:
            self._borrowed = await lending.borrow(self.book, self._pronunciations)
        if self._listeners and self._over_agent is None:
            book = with_listeners(self.book)
            self._over_agent = await lending.borrow(book, self._pronunciations)

    async def cleanup(self) -> None:
        """Give the recognisers back."""
        for borrowed in self._all_borrowed:
            borrowed.give_back()
        self._borrowed = self._over_agent = None
        self._listeners = False
        self._forget()
        await super().cleanup()

    async def start(self, frame: StartFrame) -> None:
        """Get ready for a telephone's sound where the input's rate says that it is one."""
        await super().start(frame)
        if self.sample_rate <= narrow_band.SAMPLE_RATE:
            for borrowed in self._all_borrowed:
                await lending.prepare(borrowed, narrow=True)

    @property
    def _all_borrowed(self) -> list[lending.Borrowed]:
        return [one for one in (self._borrowed, self._over_agent) if one is not None]

    async def stop(self, frame: EndFrame) -> None:
        """Drop an utterance that the call's end cut off."""
        self._drop()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        """Drop an utterance that the call's end cut off."""
        self._drop()
        await super().cancel(frame)

    def _drop(self) -> None:
        self._listening = self._hearing_out = False
        for borrowed in self._all_borrowed:
            borrowed.recogniser.drop()

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Decode a piece of audio, or keep it in case that speech has begun."""
        samples = np.frombuffer(audio, np.int16)
        if not self._listening:
            self._keep(samples)
            return
        self._decode(samples)
        if self._unseen >= INTERIM_SECS * recogniser.SAMPLE_RATE and self._at_work is not None:
            self._unseen = 0
            text = self._at_work.recogniser.partial()
            if text and text != self._interim:
                self._interim = text
                yield InterimTranscriptionFrame(text, self._user_id, time_now_iso8601())

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Begin and end utterances as the detector says."""
        match frame:
            case VADUserStartedSpeakingFrame():
                self._begin()
            case BotStartedSpeakingFrame() | BotStoppedSpeakingFrame():
                self._agent_speaks = isinstance(frame, BotStartedSpeakingFrame)
            case STTMuteFrame():
                self._drop()
                speaks = self._agent_speaks
                self._forget()
                self._agent_speaks = speaks
            case _:
                pass
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame) and self._listening:
            await self._end(frame.stop_secs)

    def _now(self) -> float:
        return self.get_clock().get_time() / 1e9

    def _keep(self, samples: Int16) -> None:
        self._pre_roll.append(samples)
        self._pre_roll_n += len(samples)
        most = PRE_ROLL_SECS * self.sample_rate
        while self._pre_roll and self._pre_roll_n - len(self._pre_roll[0]) >= most:
            self._pre_roll_n -= len(self._pre_roll.popleft())

    def _begin(self) -> None:
        if self._listening or self._borrowed is None or self.is_muted:
            return
        if self._hearing_out and self._at_work is not None:
            self._at_work.recogniser.drop()
        self._hearing_out = False
        self._at_work = (self._over_agent if self._agent_speaks else None) or self._borrowed
        kept = np.concatenate([np.zeros(0, np.int16), *self._pre_roll])
        kept = kept[-round(PRE_ROLL_SECS * self.sample_rate) :]
        self._pre_roll.clear()
        self._pre_roll_n = 0
        self._listening, self._interim = True, ""
        self._speech_at = self._now()
        self._resampler = pcm.StreamResampler(self.sample_rate, recogniser.SAMPLE_RATE)
        ready = self._resampler.process(kept)
        self._at_work.recogniser.begin(ready)
        onset = recogniser.onset(ready)
        self._backlog = ready[onset:]
        # From what was kept: the resampler holds some of it back.
        self._began_at = (
            self._speech_at - len(kept) / self.sample_rate + onset / recogniser.SAMPLE_RATE
        )
        self._unseen = 0

    def _decode(self, samples: Int16) -> None:
        assert self._resampler is not None
        assert self._at_work is not None
        ready = self._resampler.process(samples)
        self._backlog = np.concatenate([self._backlog, ready])
        now, self._backlog = np.split(self._backlog, [CATCH_UP * len(ready)])
        self._at_work.recogniser.feed(now)
        self._unseen += len(now)

    def _noise_notice(self) -> dict[str, str]:
        assert self._at_work is not None
        snr = self._at_work.recogniser.snr_db
        if self._told or snr >= recogniser.LEAST_SNR_DB:
            return {}
        self._told = True
        return {"piopiy_lab_notice": _NOISE_NOTICE.format(snr)}

    async def hear_out(self) -> None:
        """Take what was just heard for an utterance: a short voice that no detector was sure of.

        Others run between the steps. What is no listener's word, and none that takes the floor, is
        no transcript: a short cough is like some word or other of the phrases ("help").
        """
        if self._listening or self._hearing_out or self.is_muted or self._borrowed is None:
            return
        self._begin()
        assert self._resampler is not None
        assert self._at_work is not None
        rest = np.concatenate([self._backlog, self._resampler.flush()])
        self._listening, self._hearing_out = False, True  # what comes now is another utterance's
        step = round(STEP_SECS * recogniser.SAMPLE_RATE)
        for at in range(0, len(rest), step):
            self._at_work.recogniser.feed(rest[at : at + step])
            await asyncio.sleep(0)
            if not self._hearing_out:
                return
        heard = await self._judged(self._at_work.recogniser)
        if heard is not None and self._hearing_out:
            self._hearing_out = False
            if heard.accepted and is_said_over(heard.text):
                await self._push(heard, heard.text)

    async def _judged(self, ear: recogniser.Recogniser) -> recogniser.Recognised | None:
        """End the utterance; others run between the steps of a second look, and may drop it."""
        steps = ear.end_in_steps(self._threshold)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return done.value
            await asyncio.sleep(0)

    async def _end(self, stop_secs: float) -> None:
        assert self._resampler is not None
        assert self._at_work is not None
        rest = [self._backlog, self._resampler.flush()]
        self._at_work.recogniser.feed(np.concatenate(rest))
        heard = await self._judged(self._at_work.recogniser)
        if heard is None:
            return
        self._listening = False
        spoken = self._now() - self._speech_at - stop_secs
        if not heard.text and spoken < NOISE_SECS:
            return  # a cough or a click, no speech
        nearest = heard.text or None
        if not nearest and heard.begun:
            nearest = self.book.nearest(heard.begun, 1)[0]
        await self._push(heard, nearest)

    async def _push(self, heard: recogniser.Recognised, nearest: str | None) -> None:
        text = heard.text if heard.accepted else unclear_text(nearest)
        words = [
            [word, self._began_at + start, self._began_at + end] for word, start, end in heard.words
        ]
        self.request_finalize()
        self.confirm_finalize()
        await self.push_frame(
            TranscriptionFrame(
                text,
                self._user_id,
                time_now_iso8601(),
                result={
                    "words": words if heard.accepted else [],
                    "score": round(heard.score, 6),
                    "nearest": nearest,
                    **self._noise_notice(),
                },
            )
        )
        await self.emit_stt_usage_metrics()
