"""What a call asks of the transport that it is on, and what the transport is told of the call.

Used on the session's loop. Nothing here knows pipecat: the two ends of a transport are processors
of pipecat's, and ``pipeline.chain`` makes sure of it where it links them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class TransportSettings:
    """What a VoiceAgent asks of its transport.

    Attributes:
        audio_in_sample_rate: Hz, mono int16 from the caller.
        audio_out_sample_rate: Hz, mono int16 to the caller.
        room_params: What the user set of the room's parameters, by name; ignored off the phone.
        sound_params: pipecat's filters and mixers that a bot gave its transport, by name.
    """

    audio_in_sample_rate: int = 16000
    audio_out_sample_rate: int = 24000
    room_params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sound_params: Mapping[str, Any] = field(default_factory=dict[str, Any])


class CallTransport(Protocol):
    """What the run of a VoiceAgent knows of its transport."""

    @property
    def failure(self) -> Exception | None:
        """Why it could not connect or was lost; the run raises it at its end."""
        ...

    def run_at(self, audio_in_sample_rate: int, audio_out_sample_rate: int) -> None:
        """Take other rates, in Hz, before the pipeline starts: it tells them only then."""
        ...

    def input(self) -> object:
        """Return the processor that the caller's audio comes from."""
        ...

    def output(self) -> object:
        """Return the processor that the agent's audio goes to."""
        ...

    async def wait_until_open(self) -> None:
        """Wait until a device works, or the user has pressed the button; the call begins then."""
        ...

    async def wait_until_answered(self) -> None:
        """Wait until somebody is at the other end; the agent greets then."""
        ...
