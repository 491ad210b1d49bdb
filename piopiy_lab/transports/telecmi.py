"""Piopiy's transport under its own names: ``TelecmiParams`` and ``TelecmiTransport``.

A ``VoiceAgent`` opens its room by itself; these are for its ``telecmi_params=``, and for a session
that builds a pipecat pipeline of its own.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pipecat.transports.livekit.transport import (
    LiveKitCallbacks,
    LiveKitInputTransport,
    LiveKitOutputTransport,
    LiveKitOutputTransportMessageFrame,
    LiveKitOutputTransportMessageUrgentFrame,
    LiveKitParams,
    LiveKitTransport,
)
from pydantic import ConfigDict, model_validator

from piopiy_lab import events
from piopiy_lab.errors import RoomError
from piopiy_lab.session.session import ROOM_CTX, TOKEN_CTX, URL_CTX, Session, current_session
from piopiy_lab.transports.room_client import RoomClient, rtc
from piopiy_lab.transports.seams import callbacks_of
from piopiy_lab.transports.transfer_status import TRANSFER_TOPIC, read_transfer_status

#: Longest data that an event keeps, in characters.
MAX_DATA_TEXT = 2000
#: LiveKit's reasons that mean: the platform has ended the call.
_CLOSED = ("ROOM_DELETED", "ROOM_CLOSED", "PARTICIPANT_REMOVED")
_KINDS: dict[int, str] = {
    number: name.removeprefix("PARTICIPANT_KIND_").lower()
    for name, number in rtc.ParticipantKind.items()
}
#: Who can be a caller; the others record, stream, or are agents too.
_CALLERS = ("sip", "standard", "connector", "bridge")

#: The SDK's names of the rest: a session that patches one patches what every call uses.
TelecmiTransportClient = RoomClient
TelecmiCallbacks = LiveKitCallbacks
TelecmiInputTransport = LiveKitInputTransport
TelecmiOutputTransport = LiveKitOutputTransport
TelecmiTransportMessageFrame = LiveKitOutputTransportMessageFrame
TelecmiTransportMessageUrgentFrame = LiveKitOutputTransportMessageUrgentFrame


class TelecmiParams(LiveKitParams):
    """The room's parameters: those of pipecat's ``LiveKitParams``, and some that the SDK has.

    Attributes:
        vad_analyzer: A voice activity detector; used where ``Action`` got no ``vad=``.
        turn_analyzer: A turn analyzer; used where ``Action`` got no ``turn_strategies=``.
        vad_enabled: Of no effect, as in the SDK: ``vad_analyzer``, or ``Action(vad=...)``, decides.
        vad_audio_passthrough: Of no effect: audio always passes.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    audio_in_enabled: bool = True
    audio_in_sample_rate: int | None = 16000
    audio_out_enabled: bool = True
    audio_out_sample_rate: int | None = 24000
    vad_analyzer: object = None
    turn_analyzer: object = None
    vad_enabled: bool | None = None
    vad_audio_passthrough: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _camera_is_video(cls, given: Any) -> Any:
        """Say where the fields of a camera went."""
        if isinstance(given, dict):
            for name in given:
                if isinstance(name, str) and name.startswith("camera_"):
                    raise ValueError(
                        f"{name} is {name.replace('camera_', 'video_', 1)} in pipecat 1.14"
                    )
        return given


class TelecmiTransport(LiveKitTransport):
    """A transport in the call's room.

    The *caller* is the first participant who can be one, a SIP participant before any other. Only
    the caller's leaving ends the call, and only the caller is heard (everybody, mixed, with
    ``audio_in_user_tracks=False``).
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        room_name: str | None = None,
        params: TelecmiParams | None = None,
        **names: Any,
    ) -> None:
        """Make the transport; it joins when its pipeline is set up.

        Args:
            url: The room's server; taken from ``URL_CTX`` when left out, as the next two are
                from ``TOKEN_CTX`` and ``ROOM_CTX``.
            token: The room's token; never shown.
            room_name: The room's name.
            params: Rates, VAD and the rest.
            **names: ``input_name`` and ``output_name``.

        Raises:
            RoomError: Outside of a call's session, and not all three were given.
        """
        where = {
            "url": url if url is not None else URL_CTX.get(),
            "token": token if token is not None else TOKEN_CTX.get(),
            "room_name": room_name if room_name is not None else ROOM_CTX.get(),
        }
        if missing := [name for name, value in where.items() if not value]:
            raise RoomError(
                f"there is no room to join: {', '.join(missing)} is missing. On the phone the "
                "session's invite brings it; elsewhere give it to TelecmiTransport(...)"
            )
        params = params or TelecmiParams()
        super().__init__(
            where["url"] or "", where["token"] or "", where["room_name"] or "", params, **names
        )
        self.session: Session | None = current_session()
        self.room_name = where["room_name"] or ""
        self.failure: RoomError | None = None  # why the room can't be joined or was lost
        self.caller: str | None = None  # the caller's identity; by _note_participant()
        self._joined = False  # RoomJoined was logged
        self._caller_there = asyncio.Event()  # set while the caller is in the room
        self._link_lost_at: float | None = None  # the call's seconds; None while the link works
        self._mixes = not params.audio_in_user_tracks
        self._client: RoomClient = RoomClient(
            where["url"] or "",
            where["token"] or "",
            self.room_name,
            params,
            callbacks_of(self._client),
            self.name,
            self,
        )

    async def wait_until_open(self) -> None:
        """A room has no device to wait for."""

    async def wait_until_answered(self) -> None:
        """Wait until the caller is in the room and hears us, or the call has ended before that.

        A server that doesn't say that somebody hears us is waited for no longer than
        :data:`~piopiy_lab.transports.room_client.AUDIBLE_SECS`.
        """
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self._wait_for_ears())]
        if self.session is not None:
            waits.append(asyncio.create_task(self.session.wait_for_end()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _wait_for_ears(self) -> None:
        await self._caller_there.wait()
        if not await self._client.wait_until_audible() and self.session is not None:
            self.session.notice(
                f"the room's server did not say within {self._client.audible_secs:g} s that the "
                "caller can hear the agent, which speaks now: its first words may be lost"
            )

    # --- what the client reports --------------------------------------------------------------

    async def _on_connected(self) -> None:
        if not self._joined:
            self._joined = True
            self._log(events.RoomJoined, room=self.room_name, identity=self.participant_id)
        await super()._on_connected()

    def join_failed(self, error: RoomError) -> None:
        """End the call with the reason, instead of waiting for its idle time."""
        self.failure = error
        if self.session is not None:
            self.session.handed_over = True  # what becomes of the caller is the platform's to say
            self.session.end("error", error)

    def link_lost(self) -> None:
        """Note that the link broke."""
        if self._link_lost_at is None:
            self._link_lost_at = 0.0 if self.session is None else self.session.now()
            self._log(events.RoomLinkLost)

    def link_restored(self) -> None:
        """Note that the link works; a caller who is gone by now has hung up meanwhile."""
        lost_at, self._link_lost_at = self._link_lost_at, None
        if lost_at is None or self.session is None:
            return
        self._log(events.RoomLinkRestored, secs=round(self.session.now() - lost_at, 3))
        if self.caller is not None and self.caller not in self.get_participants():
            self._caller_left(self.caller)

    def room_lost(self, reason: str) -> None:
        """End the call: the room is closed, or the link could not be mended."""
        if self.session is None:
            return
        if reason in _CLOSED:
            if self.session.transfers.caller_left():
                return  # so the platform takes the agent out of a call that was handed over
            self.session.notice(f"the platform closed the room ({reason})")
            self.session.end("caller_hung_up")
            return
        self.failure = RoomError(
            f"the link to the room {self.room_name!r} was lost for good ({reason})"
        )
        self.session.end("error", self.failure)

    def packet_received(self, packet: rtc.DataPacket) -> None:
        """Note data, with its topic."""
        sender = packet.participant.identity if packet.participant else None
        text = bytes(packet.data[: 4 * MAX_DATA_TEXT]).decode("utf-8", "replace")[:MAX_DATA_TEXT]
        self._log(
            events.DataReceived,
            topic=(packet.topic or "")[:MAX_DATA_TEXT] or None,
            sender=sender,
            text=text,
        )
        if packet.topic == TRANSFER_TOPIC and self.session is not None:
            news = read_transfer_status(text)
            if news is not None:
                self.session.transfers.told(news)

    def is_heard(self, identity: str) -> bool:
        """Whether this participant's audio goes into the pipeline."""
        return self._mixes or identity == self.caller

    def is_muted(self) -> bool:
        """Whether silence is taken in place of what is heard (``Call.mute``)."""
        return self.session is not None and self.session.muted

    def audio_received(self, frame: rtc.AudioFrame) -> None:
        """A frame of heard audio came; for subclasses."""

    # --- participants -------------------------------------------------------------------------

    async def _on_participant_connected(self, participant_id: str) -> None:
        kind = self._kind(participant_id)
        becomes_caller = kind in _CALLERS and (
            self.caller in (None, participant_id)
            or (kind == "sip" and self._kind(self.caller) != "sip")
        )
        if becomes_caller:
            self.caller = participant_id
            self._caller_there.set()
            await self._client.who_is_heard_changed()
        self._log(
            events.ParticipantJoined,
            identity=participant_id,
            kind=kind,
            caller=becomes_caller,
        )
        await super()._on_participant_connected(participant_id)

    def participant_gone(self, identity: str, kind: int) -> None:
        """Note who has left, and end the call if it was the caller."""
        if self._link_lost_at is not None:
            return  # LiveKit takes everybody out of the room while it mends the link
        early = self.caller is None and _KINDS.get(kind) in _CALLERS  # gone before we were in
        if early or identity == self.caller:
            self._caller_left(identity)
        else:
            self._log(events.ParticipantLeft, identity=identity, caller=False)

    def _caller_left(self, identity: str) -> None:
        self._caller_there.clear()
        self._log(events.ParticipantLeft, identity=identity, caller=True)
        if self.session is None or self.session.transfers.caller_left():
            return  # the platform took the caller elsewhere; the transfer ends the call
        self.session.end("caller_hung_up")

    def _kind(self, identity: str | None) -> str:
        participant = self._client.room.remote_participants.get(identity or "")
        return "unknown" if participant is None else _KINDS.get(participant.kind, "unknown")

    def _log(self, event: type[events.Event], **values: Any) -> None:
        if self.session is not None:
            self.session.log.append(event(at=self.session.now(), **values))
