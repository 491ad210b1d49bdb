"""What stands in for the transport that a bot makes: the call's own, with the events of the other.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pipecat.frames.frames import BotConnectedFrame, ClientConnectedFrame
from pipecat.processors.frame_processor import FrameProcessor, FrameProcessorSetup
from pipecat.transports.base_transport import BaseTransport, TransportParams

from piopiy_lab.bots import seams
from piopiy_lab.bots.arguments import Client
from piopiy_lab.errors import BotError
from piopiy_lab.events.values import Direction
from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import CallTransport, TransportSettings

#: What happens when somebody is at the other end, and when they have left: the events that
#: pipecat's transports have for it, in their order, each with what its handlers are given ("c" the
#: client, "p" the participant of a room, "i" their id, "d" what a telephone line says, "r" why).
JOINING: Mapping[str, str] = {
    "on_connected": "",
    "on_joined": "p",
    "on_avatar_connected": "p",
    "on_dialin_connected": "d",
    "on_dialout_connected": "d",
    "on_dialout_answered": "d",
    "on_first_participant_joined": "p",
    "on_participant_joined": "p",
    "on_participant_connected": "i",
    "on_client_connected": "c",
    "on_audio_track_subscribed": "i",
}
LEAVING: Mapping[str, str] = {
    "on_participant_left": "pr",
    "on_participant_disconnected": "i",
    "on_dialin_stopped": "d",
    "on_dialout_stopped": "d",
    "on_client_disconnected": "c",
    "on_disconnected": "",
    "on_left": "",
}
#: Events of a telephone line that a bot answers, and of one that it dials itself.
_DIALS_IN, _DIALS_OUT = "on_dialin_", "on_dialout_"
#: Rooms give a participant where others give a connection.
ROOMS = ("DailyTransport", "LiveKitTransport", "VonageVideoConnectorTransport")
#: What a room says when somebody leaves.
_REASON = "leftCall"


#: Told of the transport's input and output, when they are there.
OnEnds = Callable[[FrameProcessor, FrameProcessor], None]


class NoSuchThingError(BotError, AttributeError):
    """The lab's transport has not what a bot asks of the one that it stands in for."""


class BotTransport(BaseTransport):
    """The call's transport, as the bot that made another one sees it."""

    def __init__(self, session: Session, stands_for: type) -> None:
        """Stand in for a transport; :meth:`made_with` tells of its parameters.

        Args:
            session: The bot's call.
            stands_for: The class of pipecat's (or anybody's) that the bot asked for.
        """
        self._stands_for = stands_for  # first: pipecat asks whose instance this is
        super().__init__()
        self._session = session
        self._params: TransportParams | None = None  # what the bot gave; by made_with()
        self._inner: CallTransport | None = None  # opened when an end is asked for
        self._input: FrameProcessor | None = None
        self._output: FrameProcessor | None = None
        self.on_ends: OnEnds | None = None  # told of the two ends; by the run
        self.direction: Direction | None = None  # which way the call went; by the bot's session
        for name in (*JOINING, *LEAVING):
            seams.offer_event(self, name)

    @property
    def __class__(self) -> type:  # type: ignore[override] - as a bot asks where it runs
        """The class that the bot asked for: ``isinstance(transport, DailyTransport)`` holds."""
        return self._stands_for

    @property
    def stands_for(self) -> str:
        """The name of the class that the bot asked for."""
        return self._stands_for.__name__

    @property
    def inner(self) -> CallTransport:
        """The call's own transport."""
        return self._ensure_open()

    def _ensure_open(self) -> CallTransport:
        if self._inner is None:
            if _on_a_loop_of_its_own(self._session):
                raise BotError(
                    "the bot makes its pipeline on a loop of its own, in another thread: a call "
                    "here has one loop; await the bot's parts instead of asyncio.run(...)"
                )
            self._inner = self._open()
            self._input = _processor("input", self._inner.input())
            self._output = _processor("output", self._inner.output())
            if self.on_ends is not None:
                self.on_ends(self._input, self._output)
        return self._inner

    def _open(self) -> CallTransport:
        given = {name: getattr(self._params, name, None) for name in _SOUND}
        sound = {name: value for name, value in given.items() if value is not None}
        if sound and self._session.settings.origin == "custom":
            self._session.notice(
                f"{self.stands_for}: {', '.join(sound)} mean nothing on a transport of your own: "
                "give them to that one"
            )
        settings = TransportSettings(sound_params=sound)
        with seams.nobody_asked():
            return self._session.settings.open_transport(self._session, settings)

    def run_at(self, setup: FrameProcessorSetup) -> None:
        """Take the rates of the bot's transport, where it gave some, else its pipeline's."""
        params = self._params or TransportParams()
        self.inner.run_at(
            params.audio_in_sample_rate or setup.audio_in_sample_rate,
            params.audio_out_sample_rate or setup.audio_out_sample_rate,
        )

    def made_with(self, params: TransportParams | None) -> None:
        """Take over what matters of the parameters that the bot gave; say what does not count."""
        if params is None:
            return
        self._params = params
        ignored = [name for name in _IGNORED if getattr(params, name, None)]
        if ignored:
            self._session.notice(
                f"{self.stands_for}: {', '.join(ignored)} mean nothing here: the lab's transport "
                "carries the caller's and the agent's sound, and keys"
            )
        if not params.audio_in_enabled:
            self._session.notice(
                f"{self.stands_for}: its parameters have no audio_in_enabled=True; the bot would "
                "not hear a caller where it was written for. Here it does"
            )

    def input(self) -> FrameProcessor:
        """Return the processor that the caller's audio comes from."""
        self._ensure_open()
        assert self._input is not None, "opening it made it"
        return self._input

    def output(self) -> FrameProcessor:
        """Return the processor that the agent's audio goes to."""
        self._ensure_open()
        assert self._output is not None, "opening it made it"
        return self._output

    def add_event_handler(self, event_name: str, handler: Any) -> None:
        """Add a handler; of an event that never comes here too, with a notice at the start."""
        seams.offer_event(self, event_name)
        super().add_event_handler(event_name, handler)

    def get_client_id(self, client: Any) -> str:
        """Return the id of what :data:`JOINING`'s handlers were given."""
        return client["id"]

    # --- by the run --------------------------------------------------------------------------

    @property
    def never_told(self) -> list[str]:
        """The events that somebody handles and that never come here."""
        told = {*self._of_this_call(JOINING), *self._of_this_call(LEAVING)}
        return [name for name in seams.handled_events(self) if name not in told]

    def _of_this_call(self, all_of_them: Mapping[str, str]) -> dict[str, str]:
        """Return the events of a call that went one way: nobody dials in and is dialled at once.

        Where nobody has said which way, a bot that handles what comes of dialling out only was
        written to call.
        """
        handled = set(seams.handled_events(self))
        dials = any(name.startswith(_DIALS_OUT) for name in handled)
        outbound = dials and not any(name.startswith(_DIALS_IN) for name in handled)
        if self.direction is not None:
            outbound = self.direction == "outbound"
        other = _DIALS_IN if outbound else _DIALS_OUT
        return {name: takes for name, takes in all_of_them.items() if not name.startswith(other)}

    async def joined(self) -> None:
        """Tell the bot that somebody is there."""
        if (source := self._input) is not None:
            await source.push_frame(BotConnectedFrame())
        for name, takes in self._of_this_call(JOINING).items():
            await seams.tell(self, name, *self._given(takes))
        if (source := self._input) is not None:
            await source.push_frame(ClientConnectedFrame())

    async def left(self) -> None:
        """Tell the bot that they have left."""
        for name, takes in self._of_this_call(LEAVING).items():
            await seams.tell(self, name, *self._given(takes))

    def _given(self, takes: str) -> list[object]:
        """Return what a handler is given, as the class that this stands for gives it."""
        client_id = "caller"
        participant = {"id": client_id, "info": {"userName": client_id, "isLocal": False}}
        by_id = self.stands_for == "LiveKitTransport"
        given: dict[str, object] = {
            "c": participant if self.stands_for in ROOMS else Client(client_id),
            "p": client_id if by_id else participant,
            "i": client_id,
            "d": {"sessionId": client_id},
            "r": _REASON,
        }
        return [given[one] for one in takes]

    def __getattr__(self, name: str) -> Any:
        """Do nothing where the other class would do something; say so.

        Raises:
            NoSuchThingError: The other class has nothing of that name either.
        """
        method = getattr(self._stands_for, name, None)
        if name.startswith("_") or not callable(method):
            raise NoSuchThingError(
                f"{self.stands_for}.{name}: the lab's transport, which stands in for it, has "
                "nothing of the kind; guard it with hasattr(transport, ...), or keep it out of "
                "the bot's part that is tried here"
            )
        self._session.notice(
            f"{self.stands_for}.{name}() does nothing here: the lab's transport stands in for it"
        )

        async def nothing(*_: object, **__: object) -> None:
            """Stand in for a method of a provider's."""

        def nothing_at_once(*_: object, **__: object) -> None:
            """Stand in for one that isn't awaited."""

        return nothing if inspect.iscoroutinefunction(method) else nothing_at_once


#: Of a transport's parameters those that act on what the lab has not.
_IGNORED = (
    *("video_in_enabled", "video_out_enabled", "audio_out_destinations", "transcription_enabled"),
)
#: And those that are taken over: they belong to the sound.
_SOUND = ("audio_in_filter", "audio_out_mixer")


def _on_a_loop_of_its_own(session: Session) -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # a thread without one may make the pipeline that the call's loop runs
        return False
    return not session.on_loop()


def _processor(end: str, found: object) -> FrameProcessor:
    if not isinstance(found, FrameProcessor):
        raise BotError(
            f"the transport's {end}() gave {found!r}: it must return a FrameProcessor of pipecat's"
        )
    return found
