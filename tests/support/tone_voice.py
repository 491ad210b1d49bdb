"""A TTS service without a model: tones as long as its text; or what a broken voice does."""

from __future__ import annotations

import numpy as np
from pipecat.frames.frames import ErrorFrame, TTSAudioRawFrame
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService

#: Seconds of a word, and Hz and peak of the tone.
WORD_SECS, HZ, PEAK = 0.3, 180, 12000


class ToneTTS(TTSService):
    """Speaks tones; ``how`` is "tone", "words" (with their times), "silent", "nothing", "fails"."""

    made = 0  # how many there were

    def __init__(self, how="tone", lead_secs=0.2):
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            stop_frame_timeout_s=0.1,
            push_text_frames=how != "words",
            settings=TTSSettings(model=None, voice=None, language=None),
        )
        type(self).made += 1
        self.how, self.lead_secs = how, lead_secs

    def can_generate_metrics(self):
        return False

    async def run_tts(self, text, context_id):
        if self.how == "fails":
            yield ErrorFrame(error="no such voice here")
            return
        if self.how == "nothing":
            return
        words = text.split()
        secs = np.arange(round(len(words) * WORD_SECS * self.sample_rate)) / self.sample_rate
        tone = PEAK * np.sin(2 * np.pi * HZ * secs) * (self.how != "silent")
        lead = np.zeros(round(self.lead_secs * self.sample_rate))
        if self.how == "words":
            times = [(word, self.lead_secs + place * WORD_SECS) for place, word in enumerate(words)]
            await self.add_word_timestamps(times, context_id)
        sound = np.concatenate([lead, tone, lead]).astype(np.int16)
        yield TTSAudioRawFrame(sound.tobytes(), self.sample_rate, 1, context_id=context_id)
