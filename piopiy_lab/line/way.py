"""One direction of a line: sound in, sound out, as many samples and always as much later. Pure.

It works in packets of 20 ms that are counted from the first sample, so what comes out does not
depend on how the sound was cut up.
"""

from __future__ import annotations

import copy
import math

import numpy as np

from piopiy_lab.errors import ArgumentError
from piopiy_lab.line import opus
from piopiy_lab.line.concealment import Concealer
from piopiy_lab.line.echoing import EchoPath, Played
from piopiy_lab.line.g711 import A_LAW, MU_LAW
from piopiy_lab.line.line import CODEC_RATES, PACKET_SECS, Line, Side
from piopiy_lab.line.losses import Losses
from piopiy_lab.line.noises import noise_loop
from piopiy_lab.line.resampling import Resampler
from piopiy_lab.line.speech_level import NOMINAL_DBOV, SpeechLevel
from piopiy_lab.sound.anew import Anew, place_for
from piopiy_lab.sound.pcm import FULL_SCALE, Float32, Int16

#: Hz of a band that must lie below half of the sample rate.
LEAST_HZ = 200
#: Packets after which the noise's level is set anew, by what the caller's speech was so far.
LEVEL_PACKETS = 10


class Way:
    """What one side says, as the other hears it. For one thread at a time."""

    def __init__(
        self,
        line: Line,
        sample_rate: int,
        side: Side,
        anew: Anew | None = None,
        speech: SpeechLevel | None = None,
    ) -> None:
        """Begin with silence.

        Args:
            line: The line.
            sample_rate: Hz of what comes and goes: a multiple of 50.
            side: Whose words go over it: "caller" or "agent".
            anew: For which utterance of the caller's, by which all is drawn; None for a call's
                beginning.
            speech: How loud the caller's speech was so far.

        Raises:
            ArgumentError: The rate is no multiple of 50 (with a codec) or of 200, or has nothing
                of the line's band.
        """
        whole = 200 if line.codec is None else 50
        if sample_rate % whole:
            raise ArgumentError(
                f"a line{'' if whole == 50 else ' without a codec'} at {sample_rate} Hz: its "
                f"pieces are no whole number of samples; give a multiple of {whole}, such as 8000, "
                "16000 or 24000"
            )
        if line.band is not None and line.band[0] > sample_rate / 2 - LEAST_HZ:
            raise ArgumentError(
                f"a line with band={line.band!r} at {sample_rate} Hz: there is nothing above "
                f"{sample_rate // 2} Hz; lower the band, or raise the pipeline's sample rate"
            )
        self.line = line
        self._side: Side = side
        self.sample_rate = sample_rate
        self.delay: float = line.delay  # seconds: from saying to hearing
        self._packet = round(sample_rate * PACKET_SECS)
        self._rate = rate = CODEC_RATES.get(line.codec or "", sample_rate)
        band = line.passband
        block = round(rate * PACKET_SECS)
        self._into = None if band is None else Resampler(sample_rate, rate, self._packet, band)
        self._law = {"pcmu": MU_LAW, "pcma": A_LAW}.get(line.codec or "")
        self._opus = opus.Opus(line.bitrate or opus.BITRATE) if line.codec == "opus" else None
        decoded = rate if self._opus is None else opus.DECODED_RATE
        self._block = round(decoded * PACKET_SECS)
        self._out = None if line.codec is None else Resampler(decoded, sample_rate, self._block)
        seed = f"{line.seed} {side}" if anew is None else f"{line.seed} {side} {anew.number}"
        self.losses: Losses | None = None
        self._concealer: Concealer | None = None
        if line.loses:
            jitter, keeps = line.jitter_ms / 1000, line.buffer_secs
            self.losses = Losses(seed, line.loss, line.burst, jitter, keeps)
            self._concealer = Concealer(decoded)
        self._utterance = anew is not None
        self._taken = self._carried = 0  # samples so far; and those in whole packets
        self._ends: int | None = None  # the utterance, after so many; by end_utterance()
        self._place: _Place | None = None
        if side == "caller":
            early = 0 if anew is None else round(anew.early * rate / sample_rate)
            at = None if anew is None else (anew.number, early)
            self._place = _Place(line, rate, block, at, speech)
        late = line.delay_ms / 1000 + line.buffer_secs
        self._ready: Int16 = np.zeros(self._packet + round(late * sample_rate), np.int16)
        self._waiting: Int16 = np.zeros(0, np.int16)

    def process(self, samples: Int16, start: float = 0.0, far: Played | None = None) -> Int16:
        """Return what is heard while ``samples`` are said: int16, as many.

        Args:
            samples: int16, (n,).
            start: The call's seconds of the first one, to find what was heard then.
            far: What was played of the other side, for its echo.
        """
        count = len(samples)
        self._taken += count
        waiting = np.concatenate([self._waiting, samples])
        begins = start - len(self._waiting) / self.sample_rate
        whole = len(waiting) // self._packet * self._packet
        heard = [
            self._carry(waiting[at : at + self._packet], begins + at / self.sample_rate, far)
            for at in range(0, whole, self._packet)
        ]
        self._waiting = waiting[whole:]
        ready = np.concatenate([self._ready, *heard])
        self._ready = ready[count:]
        return ready[:count]

    def for_utterance(self, anew: Anew) -> Way:
        """Return a way for an utterance: of this one it knows how loud the caller's speech was."""
        speech = self._place.speech if self._place is not None and self._utterance else None
        return Way(self.line, self.sample_rate, self._side, anew, copy.deepcopy(speech))

    def end_utterance(self, after: int) -> None:
        """Note that the utterance ends so many samples from the next one that comes.

        What comes later says nothing of how loud the caller speaks.
        """
        if self._ends is None:
            self._ends = self._taken + after

    def anew(self) -> Way:
        """Return this way without anything on it; what gets lost goes on."""
        way = Way(self.line, self.sample_rate, self._side)
        way.losses = self.losses
        return way

    def _carry(self, packet: Int16, start: float, far: Played | None) -> Int16:
        sound = packet.astype(np.float32)
        if self._into is not None:
            sound = self._into.process(sound)
        if self._place is not None:
            self._carried += self._packet
            over = self._utterance and self._ends is not None and self._carried > self._ends
            sound = self._place.surround(sound, start, far, speech=not over)
        arrives = self.losses is None or self.losses.arrives()
        decoded = self._through_codec(sound, arrives)
        if self._concealer is not None:
            decoded = self._concealer.process(decoded, self._block)
        assert decoded is not None, "what can be lost is concealed"
        if self._out is not None:
            decoded = self._out.process(decoded)
        return _rounded(decoded)

    def _through_codec(self, sound: Float32, arrives: bool) -> Float32 | None:
        if self._opus is not None:  # the encoder goes on, whatever becomes of its packet
            packet = self._opus.encode(_rounded(sound))
            return self._opus.decode(packet).astype(np.float32) if arrives else None
        if not arrives:
            return None
        if self._law is not None:
            return self._law.pass_through(_rounded(sound)).astype(np.float32)
        return sound


class _Place:
    """Where the caller is: noise around, the phone's loudspeaker, and how loud they are."""

    def __init__(
        self,
        line: Line,
        rate: int,
        block: int,
        utterance: tuple[int, int] | None,  # its number, and the samples until its first one
        speech: SpeechLevel | None,
    ) -> None:
        self._line = line
        self._block = block
        self._packets = 0  # so far
        self._begins = 0  # in the noise's loop
        self._noise: Float32 | None = None
        self.speech: SpeechLevel | None = None
        if line.noise is not None:
            self._noise = noise_loop(line.noise, rate, line.passband, line.seed)
            if utterance is not None:
                number, early = utterance
                self._begins = place_for(f"line {line.seed}", number, len(self._noise)) - early
            self.speech = SpeechLevel(rate) if speech is None else speech
            self._level = self._wanted = self._level_now()
        self._gain = np.float32(10 ** (line.gain_db / 20))
        self._most = None if line.clip_db is None else FULL_SCALE * 10 ** (line.clip_db / 20)
        self._echo: EchoPath | None = None
        if line.echo_db is not None:
            self._echo = EchoPath(rate, line.passband, line.echo_db, line.seed)

    def surround(
        self, sound: Float32, start: float, far: Played | None, *, speech: bool
    ) -> Float32:
        """Return what the phone sends of what the caller says; it may be none of their speech."""
        if self._noise is not None:
            if self.speech is not None and speech:
                self.speech.note(sound)
            sound = sound + self._noise_now(self._noise)
        if self._echo is not None and far is not None:
            heard_at = start - self._line.echo_ms / 1000
            sound = sound + self._echo.of(far, heard_at, self._block)
        if self._gain != 1.0:
            sound = sound * self._gain
        if self._most is not None:
            sound = np.clip(sound, -self._most, self._most)
        self._packets += 1
        return sound

    def _noise_now(self, loop: Float32) -> Float32:
        if self._packets % LEVEL_PACKETS == 0:
            self._wanted = self._level_now()
        before, self._level = self._level, self._level + (self._wanted - self._level) / 4
        at = (self._begins + self._packets * self._block) % len(loop)
        piece = loop[at : at + self._block]
        if len(piece) < self._block:  # the loop begins again
            piece = np.concatenate([piece, loop[: self._block - len(piece)]])
        if before == self._level:
            return piece * np.float32(before)
        return piece * np.linspace(before, self._level, self._block, dtype=np.float32)

    def _level_now(self) -> float:
        assert self._line.snr_db is not None, "a line with noise has an SNR"
        known = None if self.speech is None else self.speech.dbov
        speech_dbov = NOMINAL_DBOV if known is None else known
        return FULL_SCALE * 10 ** ((speech_dbov - self._line.snr_db) / 20)


def _rounded(samples: Float32) -> Int16:
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def samples_of(delay: float, rate: int) -> int:
    """Return a delay in whole samples."""
    return math.floor(delay * rate + 0.5)
