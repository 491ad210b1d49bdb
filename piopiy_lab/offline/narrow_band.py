"""What the recogniser takes for sound that has nothing above 4 kHz: a telephone's.

PocketSphinx's model hears 130 to 6800 Hz, and takes what a telephone leaves of a voice for another
voice. Its packages have no model for 8 kHz, so this one is the same model, moved: the front end
looks at 200 to 3500 Hz alone (``en-us-8khz/feat.params``: 17 bands, as wide as the 25 of the
model's own), and the model's mean values are taken to where its features go (``mllr_matrices``,
in the format of PocketSphinx's MLLR files). That map is linear: the least squares between the
features of both front ends for the same sound, as it is and through 8 kHz and G.711 mu-law, over
150 prompts by a person (Debian's asterisk-core-sounds-en-g722) and 40 sentences by five of
espeak-ng's voices, none of them the booking desk's. `benchmarks/narrow_band.py` makes it anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from piopiy_lab.sound.pcm import Int16

_FOLDER = Path(__file__).parent / "en-us-8khz"

#: Hz up to which a pipeline's input has nothing above 4 kHz.
SAMPLE_RATE = 8000
#: Mean of that front end's coefficients, for what the other one's is `recogniser.CEPSTRAL_MEAN`.
CEPSTRAL_MEAN = "30.23,-3.33,9.88,0.21,-0.64,-0.66,-3.94,0.10,-0.20,0.05,-0.32,-0.68,0.62"
#: What a score counts for on the wide model's scale: at one and the same threshold 3 of 74 other
#: sentences passed and 1 of 82 right ones did not (with 0.68, 7 and 1).
SCORE_WEIGHT = 0.72
#: Samples that are looked at together: 20 ms at 16 kHz.
_BLOCK = 320
#: Hz between which a voice that came over a telephone has nothing. Not from 4000 on: what doubles
#: the rate leaves some there.
_ABOVE = (4400.0, 7500.0)
#: dB of what is there under what is between 200 and 3500 Hz, each in its loudest 20 ms. Measured
#: over 142 voices' beginnings as they are and through 8 kHz: -39 or more in 99 of 100, and -59 or
#: less, quiet ones included.
_LEAST_DB = -48.0
#: What rounding to whole int16 steps leaves there, in the spectrum's units, times four: a twelfth
#: of a step's square a sample, by the window's energy (120), in 62 bins. Very quiet sound that came
#: over a telephone has no more.
_ROUNDING = 4 / 12 * 120 * 62


def options() -> dict[str, object]:
    """Return a decoder's options."""
    return {
        "featparams": str(_FOLDER / "feat.params"),
        "mllr": str(_FOLDER / "mllr_matrices"),
    }


def is_narrow(so_far: Int16) -> bool:
    """Return whether an utterance's beginning has nothing above 4 kHz.

    Args:
        so_far: int16, shape (n,), at 16 kHz. Silence, and less than 20 ms, are not narrow.
    """
    blocks = so_far[: len(so_far) // _BLOCK * _BLOCK].astype(np.float64).reshape(-1, _BLOCK)
    if not blocks.any():
        return False
    power = np.abs(np.fft.rfft(blocks * np.hanning(_BLOCK), axis=1)) ** 2
    hz = np.fft.rfftfreq(_BLOCK, 1 / 16000)
    above = power[:, (hz >= _ABOVE[0]) & (hz <= _ABOVE[1])].sum(axis=1).max()
    voice = power[:, (hz >= 200) & (hz <= 3500)].sum(axis=1).max()
    return bool(above < max(voice * 10 ** (_LEAST_DB / 10), _ROUNDING))
