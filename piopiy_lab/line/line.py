"""``Line``: what lies between the caller's mouth and the agent's ear, as a description.

Making one opens nothing and computes nothing; :mod:`piopiy_lab.line.way` is what carries sound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Literal, get_args

from piopiy_lab.checks.arguments import check_count, check_number, is_number, is_whole
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, SavedCallError
from piopiy_lab.line import opus
from piopiy_lab.line.concealment import HELD_BACK_SECS
from piopiy_lab.line.resampling import band_width_secs, plain_width_secs

Codec = Literal["pcmu", "pcma", "opus"]
Noise = Literal["street", "cafe", "hum"]
Side = Literal["caller", "agent"]

#: Seconds of sound in a packet, on every line.
PACKET_SECS = 0.02
#: Hz at which a codec works, and what its phones let through. G.711: ITU-T G.712's 300 to 3400 Hz;
#: Opus: the 50 to 7000 Hz of wideband telephony (ITU-T P.341, G.722).
CODEC_RATES: Mapping[str, int] = {"pcmu": 8000, "pcma": 8000, "opus": 16000}
CODEC_BANDS: Mapping[str, tuple[float, float]] = {
    "pcmu": (300.0, 3400.0),
    "pcma": (300.0, 3400.0),
    "opus": (50.0, 7000.0),
}
#: Milliseconds that a jitter buffer keeps unless told otherwise: two packets.
BUFFER_MS = 40.0
#: Seconds after which an echo can't be found by a canceller: WebRTC's is told of delays up to
#: 0.5 s, and one of 0.6 s was not cancelled when it was measured (0.4 s was).
LATEST_ECHO_SECS = 0.5


@dataclass(frozen=True, kw_only=True)
class Line:
    """A phone line, in both directions: the same bytes for the same seed and sound.

    On the caller's side, in this order: the sound is limited to the band, noise and the agent's
    echo are added, level and clipping follow, then codec, loss and jitter buffer. What the agent
    says passes band, codec, loss and jitter buffer. Both directions lose packets independently.

    Under each utterance of a scripted caller noise, losses and Opus begin anew, 20 ms before its
    first sample, drawn by ``seed`` and the utterance's number: what lies under it is the same
    whatever the agent did before.

    Example::

        call = await simulate(create_session, caller, line=Line.phone())
        call = await simulate(create_session, caller, line=Line(codec="pcmu", loss=0.02))

    Attributes:
        codec: "pcmu" (G.711 mu-law, 8 kHz), "pcma" (G.711 A-law), "opus" (16 kHz; the "line"
            extra), or None for none.
        bitrate: Opus' bits per second, 6000 to 64000; None for 16000.
        loss: The part of the packets (20 ms each) that gets lost, 0 to 0.5, in the long run.
        burst: How many packets in a row get lost, on average, 1 to 50 (a Gilbert-Elliott channel
            that loses nothing in its good state and all in its bad one). None: each packet by
            itself, which makes ``1 / (1 - loss)``.
        jitter_ms: By how much packets come later than the fastest, on average, 0 to 500
            (exponentially distributed). One that comes after the buffer's time is lost, too: a part
            of ``exp(-buffer_ms / jitter_ms)``.
        buffer_ms: What the jitter buffer keeps, 0 to 500; None for 40 if there is jitter, else 0.
        delay_ms: What the network takes, each way, 0 to 2000.
        noise: Around the caller: "street" (traffic that swells and ebbs), "cafe" (other voices),
            "hum" (50 Hz and its harmonics), or None.
        snr_db: How far the noise lies below the caller's active speech level (as ITU-T P.56
            measures it, within the line's band), -20 to 60 dB. Goes with ``noise``.
        gain_db: Added to the caller's level, noise and echo included, -40 to 40 dB.
        clip_db: Where the caller's side overloads, in dBFS, -40 to 0; None for full scale.
        echo_db: By how much the agent's voice is weaker when it comes back from the caller's
            phone, 0 to 80 dB; None for no echo.
        echo_ms: After how long it comes back, at the caller's end, 0 to 1000. The agent hears it
            after the delay of both ways on top.
        band: Hz that the line lets through, ``(low, high)``; None for the codec's: 300 to 3400
            for G.711 (ITU-T G.712), 50 to 7000 for Opus, everything without a codec.
        sides: "both", or only what the "caller" or the "agent" says goes over the line.
        seed: Of loss, jitter and noise.
    """

    codec: Codec | None = None
    bitrate: int | None = None
    loss: float = 0.0
    burst: float | None = None
    jitter_ms: float = 0.0
    buffer_ms: float | None = None
    delay_ms: float = 0.0
    noise: Noise | None = None
    snr_db: float | None = None
    gain_db: float = 0.0
    clip_db: float | None = None
    echo_db: float | None = None
    echo_ms: float = 20.0
    band: tuple[float, float] | None = None
    sides: Literal["both", "caller", "agent"] = "both"
    seed: int = 1

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ArgumentTypeError: One has the wrong type.
            ArgumentError: One is out of range, or does not go with another.
            MissingExtraError: Opus needs PyAV, and it isn't there (or lacks Opus).
        """
        _check_choice("codec", self.codec, (None, *get_args(Codec)))
        _check_choice("noise", self.noise, (None, *get_args(Noise)))
        _check_choice("sides", self.sides, ("both", "caller", "agent"))
        check_number("loss", self.loss, 0, 0.5, of="Line")
        check_number("jitter_ms", self.jitter_ms, 0, 500, of="Line")
        check_number("delay_ms", self.delay_ms, 0, 2000, of="Line")
        check_number("gain_db", self.gain_db, -40, 40, of="Line")
        check_number("echo_ms", self.echo_ms, 0, 1000, of="Line")
        check_count("seed", self.seed, least=0, of="Line")
        for name, least, most in _OPTIONAL:
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), least, most, of="Line")
        self._check_codec()
        self._check_burst()
        self._check_noise()
        self._check_band()
        if self.late_part > 0.5:
            raise ArgumentError(
                f"Line(jitter_ms={self.jitter_ms!r}, buffer_ms={self.buffer_ms!r}): "
                f"{self.late_part:.0%} of the packets would come too late; give a buffer_ms of "
                f"{self.jitter_ms:g} or more"
            )

    def _check_codec(self) -> None:
        if self.codec == "opus":
            opus.check_available()
        elif self.bitrate is not None:
            raise ArgumentError(
                f"Line(bitrate={self.bitrate!r}, codec={self.codec!r}): only Opus has a choice of "
                'bitrates; give codec="opus", or no bitrate'
            )
        if self.bitrate is not None and not is_whole(self.bitrate):
            raise ArgumentTypeError(
                f"Line(bitrate={self.bitrate!r}): give bits per second, such as 16000"
            )

    def _check_burst(self) -> None:
        if self.burst is None or self.loss == 0:
            return
        longest = self.loss / (1 - self.loss)
        if self.burst < longest:
            raise ArgumentError(
                f"Line(loss={self.loss!r}, burst={self.burst!r}): so much loss in so short bursts "
                f"can't be; give burst={longest:.2g} or more"
            )

    def _check_noise(self) -> None:
        if self.noise is None and self.snr_db is not None:
            raise ArgumentError(
                f"Line(snr_db={self.snr_db!r}): there is no noise to have a ratio to; say which: "
                'noise="street", "cafe" or "hum"'
            )
        if self.noise is not None and self.snr_db is None:
            raise ArgumentError(
                f"Line(noise={self.noise!r}): say how loud it is: snr_db=15 lies 15 dB below the "
                "caller's speech"
            )

    def _check_band(self) -> None:
        band = self.band
        if band is None:
            return
        if not (isinstance(band, tuple) and len(band) == 2 and all(is_number(f) for f in band)):
            raise ArgumentTypeError(f"Line(band={band!r}): give (low, high) in Hz: (300, 3400)")
        low, high = band
        most = 24000 if self.codec is None else CODEC_RATES[self.codec] // 2
        if not (0 <= low < high <= most and high - low >= 200):
            raise ArgumentError(
                f"Line(band={band!r}): give (low, high) in Hz, from 0 to {most}, at least 200 apart"
            )

    # --- lines there are ----------------------------------------------------------------------

    @classmethod
    def phone(cls, **changes: object) -> Line:
        """Return a call over a good telephone network: G.711, and hardly a packet lost.

        mu-law within 300 to 3400 Hz (ITU-T G.711, G.712); 0.5 % loss in bursts of 1.5 packets,
        5 ms of jitter before a buffer of 40 ms, 30 ms each way: a "well managed" to "partially
        managed" network of ITU-T G.1050, and within the 150 ms that G.114 wants.

        Args:
            **changes: Values that differ, as for ``Line``.
        """
        values = {"codec": "pcmu", "loss": 0.005, "burst": 1.5, "jitter_ms": 5.0, "delay_ms": 30.0}
        return cls(**{**values, **changes})  # type: ignore[arg-type]

    @classmethod
    def mobile(cls, **changes: object) -> Line:
        """Return a call from a mobile phone in the street: wideband, and packets get lost.

        Opus at 16 kbit/s within 50 to 7000 Hz, where AMR-WB has 12.65 (ITU-T G.722.2); 2 % loss in
        bursts of 3 packets, 10 ms of jitter before 60 ms, 60 ms each way: a "partially managed"
        network of ITU-T G.1050. Street noise 15 dB below the caller. Needs the "line" extra; with
        ``codec="pcmu"`` it is one that reaches the agent over the telephone network.

        Args:
            **changes: Values that differ, as for ``Line``.
        """
        values = {
            "codec": "opus",
            "loss": 0.02,
            "burst": 3.0,
            "jitter_ms": 10.0,
            "buffer_ms": 60.0,
            "delay_ms": 60.0,
            "noise": "street",
            "snr_db": 15.0,
        }
        return cls(**{**values, **changes})  # type: ignore[arg-type]

    @classmethod
    def speakerphone(cls, **changes: object) -> Line:
        """Return ``phone()`` with the caller at some distance from a phone on the table.

        6 dB weaker (twice as far away), hum 25 dB below the caller, and the agent comes back from
        the loudspeaker 30 dB weaker after 20 ms: a poor hands-free phone, for ITU-T P.340 and
        G.122's talker echo ask for 40 dB and more.

        Args:
            **changes: Values that differ, as for ``Line``.
        """
        values = {"gain_db": -6.0, "noise": "hum", "snr_db": 25.0, "echo_db": 30.0}
        return cls.phone(**{**values, **changes})

    # --- what follows from it -----------------------------------------------------------------

    @property
    def passband(self) -> tuple[float, float] | None:
        """Hz that the line lets through: ``(low, high)``; None for everything."""
        return CODEC_BANDS.get(self.codec or "", None) if self.band is None else self.band

    @property
    def buffer_secs(self) -> float:
        """Seconds that the jitter buffer keeps."""
        if self.buffer_ms is None:
            return BUFFER_MS / 1000 if self.jitter_ms else 0.0
        return self.buffer_ms / 1000

    @property
    def loses(self) -> bool:
        """Whether packets can get lost, or be late."""
        return self.loss > 0 or self.jitter_ms > 0

    @property
    def varies(self) -> bool:
        """Whether what it does to a sound depends on the moment: noise, losses, Opus' memory."""
        return self.loses or self.noise is not None or self.codec == "opus"

    @property
    def late_part(self) -> float:
        """The part of the packets that come after their time, from 0 to 1: exp(-buffer/jitter)."""
        if not self.jitter_ms:
            return 0.0
        return math.exp(-1000 * self.buffer_secs / self.jitter_ms)

    @property
    def delay(self) -> float:
        """Seconds from saying something to hearing it, each way: always the same.

        A packet, the filters, the codec, what concealment holds back, network and jitter buffer.
        """
        secs = PACKET_SECS + self.delay_ms / 1000 + self.buffer_secs
        if self.passband is not None:
            secs += band_width_secs(self.passband[0]) / 2
        if self.codec is not None:
            secs += plain_width_secs() / 2
        if self.codec == "opus":
            secs += opus.LOOK_AHEAD_SECS
        if self.loses:
            secs += HELD_BACK_SECS
        return secs

    def delay_of(self, side: Side) -> float:
        """Return the seconds by which what one side says is heard later; 0.0 off the line."""
        return self.delay if self.carries(side) else 0.0

    def carries(self, side: Side) -> bool:
        """Say whether what the "caller" or the "agent" says goes over it."""
        return self.sides in ("both", side)

    @property
    def echo_secs(self) -> float | None:
        """Seconds after which the agent hears itself; None if it doesn't."""
        if self.echo_db is None or not self.carries("caller"):
            return None
        return self.delay_of("agent") + self.echo_ms / 1000 + self.delay_of("caller")

    def notices(self) -> list[str]:
        """Return what somebody should know who has a call over it."""
        told: list[str] = []
        if self.late_part >= 0.05:
            told.append(
                f"{self.late_part:.0%} of the packets come too late for the line's jitter buffer "
                "and are lost, beside what loss says; raise buffer_ms, or lower jitter_ms"
            )
        echo = self.echo_secs
        if echo is not None and echo > LATEST_ECHO_SECS:
            told.append(
                f"the line gives the agent its own voice back after {echo * 1000:.0f} ms: no echo "
                f"canceller finds it there (WebRTC's looks back {LATEST_ECHO_SECS * 1000:.0f} ms). "
                "Lower delay_ms, buffer_ms or echo_ms, or expect the agent to interrupt itself"
            )
        return told

    def only(self, side: Side) -> Line | None:
        """Return the line for what one side says alone; None if that doesn't go over it."""
        return replace(self, sides=side) if self.carries(side) else None

    def to_json(self) -> dict[str, object]:
        """Return what ``meta.json`` has of it: what differs from ``Line()``, and the seed."""
        told: dict[str, object] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value != one.default or one.name == "seed":
                told[one.name] = list(value) if isinstance(value, tuple) else value
        return told

    @classmethod
    def from_json(cls, told: object) -> Line:
        """Read what :meth:`to_json` has written; names that are not known are left out.

        Raises:
            SavedCallError: It is something else.
            MissingExtraError: Opus needs PyAV, and it isn't there.
        """
        if not isinstance(told, Mapping):
            raise SavedCallError(f"{told!r} is no line")
        known = {one.name for one in fields(cls)}
        values = {
            str(name): tuple(value) if isinstance(value, list) else value
            for name, value in told.items()
            if name in known
        }
        try:
            return cls(**values)  # type: ignore[arg-type]
        except (ArgumentError, ArgumentTypeError) as error:
            raise SavedCallError(f"{dict(told)} is no line: {error}") from error

    def __str__(self) -> str:
        return repr(self)

    def __repr__(self) -> str:
        told = ", ".join(
            f"{one.name}={getattr(self, one.name)!r}"
            for one in fields(self)
            if one.default is MISSING or getattr(self, one.name) != one.default
        )
        return f"Line({told})"


_OPTIONAL = (
    ("bitrate", 6000, 64000),
    ("burst", 1, 50),
    ("buffer_ms", 0, 500),
    ("snr_db", -20, 60),
    ("clip_db", -40, 0),
    ("echo_db", 0, 80),
)


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if (value is None or isinstance(value, str)) and value in choices:
        return
    named = ", ".join(repr(one) for one in choices)
    raise ArgumentError(f"Line({name}={value!r}): give one of {named}")


def check_line(line: object) -> Line | None:
    """Return a line that a user gave; None stays None.

    Raises:
        ArgumentTypeError: It is something else.
    """
    if line is None or isinstance(line, Line):
        return line
    raise ArgumentTypeError(
        f"line={line!r}: give a Line, such as Line.phone(), or Line(codec='pcmu', loss=0.02)"
    )
