"""The offline agent's voice: espeak-ng as a pipecat service, with word times.

Each sentence is synthesised whole (about 0.002 s per second of speech), on the session's loop, and
handed on in frames of 100 ms at the pipeline's rate: an interruption drops what has not been played
and the context keeps the words that were. Because the audio is handed on from within ``run_tts``,
pipecat closes the turn as soon as its last sentence is spoken: ``TTSStoppedFrame`` follows the last
audio frame at once, not after an idle timeout.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from pipecat.frames.frames import ErrorFrame, Frame, InterruptionFrame, TTSAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.utils.types import NOT_GIVEN, NotGiven, is_given

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, PiopiyLabError
from piopiy_lab.offline.seams import ServesAgain
from piopiy_lab.sound.speech import Voice, Word, find_voice, synthesize

__all__ = ["EspeakTTSService", "EspeakTTSSettings"]

_FRAME = 0.1  # s of audio in a frame
_GAP = 0.2  # s of silence between two sentences of a turn
_NOTHING = 0.02  # s of silence for a text that has no sound
_PIECE = 200  # characters: a longer text is spoken sentence by sentence
_LONGEST_PIECE = 600  # characters: a sentence past this is cut between two words

_NUMBERS = tuple(f.name for f in fields(Voice) if f.name != "name")


@dataclass
class EspeakTTSSettings(TTSSettings):
    """What can be changed while the service speaks, with a ``TTSUpdateSettingsFrame``.

    Attributes:
        voice: A name that :func:`~piopiy_lab.sound.speech.find_voice` knows: "agent", "en-us+f3",
            ...
        rate: Words per minute, 80 to 450; None is the voice's own, as below.
        pitch: 0 to 99.
        range: Liveliness of the pitch, 0 to 99.
        volume: The peak as a part of full scale, above 0 and up to 1.
        max_pause: The longest silence within a sentence in seconds.
    """

    rate: int | None | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    pitch: int | None | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    range: int | None | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    volume: float | None | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    max_pause: float | None | NotGiven = field(default_factory=lambda: NOT_GIVEN)

    def as_voice(self) -> Voice:
        """The voice that these settings describe.

        Raises:
            ArgumentError: An unknown voice, or a number out of range.
            MissingExtraError: espeak-ng is not installed.
        """
        changes = {
            name: value
            for name in _NUMBERS
            if is_given(value := getattr(self, name)) and value is not None
        }
        name = self.voice if is_given(self.voice) else None
        return replace(find_voice("agent" if name is None else name), **changes)


class EspeakTTSService(ServesAgain, TTSService):
    """Speaks with espeak-ng, offline, the same bytes every time.

    Word times follow what is heard: they are counted from a context's first audio, across its
    sentences and across the gaps that a slow LLM leaves. Text without sound (emoji, a lone dash)
    becomes 20 ms of silence, so that its turn starts and ends like any other.

    An instance may be used in one call after another; it is made new when the next pipeline links
    it. Every method runs on the session's loop.
    """

    Settings = EspeakTTSSettings
    KEPT = ("_text_transforms",)
    # As every pipecat service narrows it.
    _settings: EspeakTTSSettings  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        *,
        voice: Voice | str | None = None,
        settings: EspeakTTSSettings | None = None,
        sample_rate: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Check the voice and set the service up.

        Args:
            voice: A name as in :func:`~piopiy_lab.sound.speech.find_voice`, or a Voice; "agent"
                when it is left out.
            settings: Settings that go over ``voice``.
            sample_rate: Hz; None is the pipeline's output rate.
            **kwargs: Passed on to pipecat's ``TTSService``.

        Raises:
            ArgumentError: An unknown voice, or a number out of range.
            ArgumentTypeError: ``voice`` is neither a str nor a Voice.
            MissingExtraError: espeak-ng is not installed.
        """
        if voice is not None and not isinstance(voice, Voice | str):
            raise ArgumentTypeError(f"voice is a {type(voice).__name__}: use a Voice or a name")
        own: dict[str, Any] = dict.fromkeys(_NUMBERS)
        if isinstance(voice, Voice):
            own = {key: getattr(voice, key) for key in own}
            voice = voice.name
        stored = EspeakTTSSettings(model=None, voice=voice or "agent", language=None, **own)
        if settings is not None:
            stored.apply_update(settings)
        self._arguments = {
            "push_start_frame": True,
            "push_stop_frames": True,
            "push_text_frames": False,
            "sample_rate": sample_rate,
            **kwargs,
        }
        # How to speak: written here and by _update_settings.
        self._voice = stored.as_voice()
        super().__init__(settings=stored, **self._arguments)
        self._forget_playback()

    def _forget_playback(self) -> None:
        """Nothing is being played."""
        # When the audio handed on so far will have been played, in ns of the pipeline's clock.
        self._audio_until = 0
        # When the last word handed on starts, in ns of the pipeline's clock.
        self._last_word_at = 0
        # Context -> the time its words are counted from, in ns of the pipeline's clock: pipecat's
        # WordTimestampTracker takes the same when the context's first audio is pushed.
        self._counted_from: dict[str, int] = {}

    def can_generate_metrics(self) -> bool:
        """True: time to first byte, processing time and characters are reported."""
        return True

    # The life of an instance

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Set up for a pipeline.

        Args:
            setup: The pipeline's clock, rates and observer.
        """
        await super().setup(setup)
        self._forget_playback()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Handle a frame; an interruption ends what is being played.

        Args:
            frame: The frame.
            direction: Where it goes.
        """
        if isinstance(frame, InterruptionFrame):
            self._forget_playback()
        await super().process_frame(frame, direction)

    async def on_audio_context_completed(self, context_id: str) -> None:
        """Forget a context that is over (pipecat may open it again after a long silence).

        Args:
            context_id: The context.
        """
        self._counted_from.pop(context_id, None)

    async def _update_settings(self, delta: TTSSettings) -> dict[str, Any]:
        """Change voice, rate, ... from the next sentence on; refuse what can't be spoken with.

        A new voice comes with its own rate, pitch, ...: those set before are dropped.

        Args:
            delta: The settings to change.

        Returns:
            The fields that changed, with the values they had.
        """
        dropped = dict.fromkeys(_NUMBERS) if is_given(delta.voice) else {}
        change = EspeakTTSSettings.from_mapping({**dropped, **delta.given_fields()})
        wanted = self._settings.copy()
        wanted.apply_update(change)
        try:
            voice = wanted.as_voice()
        except (ArgumentError, ArgumentTypeError) as error:
            await self.push_error(f"Voice not changed: {error}")
            return {}
        changed = await super()._update_settings(change)
        self._voice = voice
        self._warn_unhandled_updated_settings({"language", "model"} & set(changed))
        return changed

    # Speaking

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Speak a text: audio frames, and word times into the context.

        Args:
            text: Plain text, usually a sentence. A long one is spoken piece by piece, so that
                neither the first sound nor the loop waits for the last.
            context_id: The turn's audio context.

        Yields:
            ``TTSAudioRawFrame`` of 100 ms and less, mono, at the pipeline's rate; an
            ``ErrorFrame`` if espeak-ng failed.
        """
        await self.start_tts_usage_metrics(text)
        spoken = False
        for piece in _pieces(text):
            try:
                speech = synthesize(piece, self._voice, sample_rate=self.sample_rate)
            except PiopiyLabError as error:
                yield ErrorFrame(error=f"{self} could not speak: {error}")
                break
            if len(speech.samples):
                spoken = True
                lead = await self._place(speech.words, speech.duration, context_id)
                for frame in self._frames(lead, speech.samples, context_id):
                    yield frame
            await asyncio.sleep(0)
        if not spoken:
            for frame in self._frames(_NOTHING, np.zeros(0, np.int16), context_id):
                yield frame

    async def _place(self, words: tuple[Word, ...], duration: float, context_id: str) -> float:
        """Time a clip's words by when it will be played.

        Args:
            words: The clip's words.
            duration: The clip's length in seconds.
            context_id: The turn's audio context.

        Returns:
            The seconds of silence to hand on before the clip.
        """
        now = self.get_clock().get_time()
        queued = self._audio_until > now
        lead = _GAP if queued and context_id in self._counted_from else 0.0
        origin = self._counted_from.setdefault(context_id, max(now, self._last_word_at))
        begins = max(now, self._audio_until) + int(lead * 1e9)
        ahead = (begins - origin) / 1e9
        times = [(w.text, max(0.0, ahead + w.start)) for w in words if w.end > w.start]
        if times:
            self._last_word_at = origin + int(times[-1][1] * 1e9)
        self._audio_until = begins + int(duration * 1e9)
        await self.add_word_timestamps(times, context_id)
        return lead

    def _frames(
        self, lead: float, samples: np.ndarray, context_id: str
    ) -> Iterator[TTSAudioRawFrame]:
        """Cut silence and a clip into frames.

        Args:
            lead: Seconds of silence before the clip.
            samples: int16 samples of shape (n,) at the pipeline's rate.
            context_id: The context the frames belong to.

        Yields:
            Frames of 100 ms, the last one shorter.
        """
        rate = self.sample_rate
        data = bytes(2 * int(lead * rate)) + samples.tobytes()
        step = 2 * int(_FRAME * rate)
        for i in range(0, len(data), step):
            yield TTSAudioRawFrame(data[i : i + step], rate, 1, context_id=context_id)


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces that are each quickly synthesised, cut after sentences where possible."""
    piece = ""
    for token in re.findall(r"\S+\s*", text):
        piece += token
        sentence = token.rstrip().endswith((".", "!", "?"))
        if len(piece) >= _LONGEST_PIECE or (sentence and len(piece) >= _PIECE):
            yield piece
            piece = ""
    if piece:
        yield piece
