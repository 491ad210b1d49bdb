"""Babble: a voice to the detector, with no words in it."""

from __future__ import annotations

import numpy as np

from piopiy_lab.sound.babble import babble


def test_the_detector_is_sure_of_a_voice_from_beginning_to_end():
    from pipecat.audio.vad.silero import SileroVADAnalyzer

    rate, window = 16000, 512
    analyzer = SileroVADAnalyzer(sample_rate=rate)
    analyzer.set_sample_rate(rate)
    sound = np.concatenate([np.zeros(8 * window, np.int16), babble(2 * rate, rate)])
    sure = [
        float(np.ravel(analyzer.voice_confidence(sound[at : at + window].tobytes()))[0])
        for at in range(0, len(sound) - window, window)
    ]
    assert max(sure[:8]) < 0.3
    assert min(sure[9:]) > 0.7


def test_it_is_the_same_every_time_and_as_long_and_loud_as_asked():
    assert np.array_equal(babble(5000, 16000, 4000), babble(5000, 16000, 4000))
    assert np.abs(babble(5000, 16000, 4000)).max() == 4000
    assert len(babble(1, 16000)) == 1
    assert len(babble(0, 16000)) == 0
