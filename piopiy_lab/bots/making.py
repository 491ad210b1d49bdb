"""What is had in place of a transport or a service that a bot makes itself.

Runs on the session's loop, in the bot's context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport, TransportParams

from piopiy_lab.bots import seams
from piopiy_lab.bots.found import CLASSES, Found, kind_of_service
from piopiy_lab.bots.transport import BotTransport
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, BotError
from piopiy_lab.events.values import Direction
from piopiy_lab.session.session import Session, current_session

_LAB = "piopiy_lab"


class Making:
    """Decides about all that one bot makes."""

    def __init__(self, session: Session, replace: Mapping[str, object]) -> None:
        """Decide for a bot.

        Args:
            session: Its call.
            replace: By kind ("stt", "llm", "tts") or by a class's name: a service, or a function
                that makes one.
        """
        self._session = session
        self._replace = replace
        self._given: dict[int, str] = {}  # services that were given already, and for what
        self._used: set[str] = set()  # what of ``replace`` was asked for
        self._made: list[object] = []  # all that stands in for a service of the bot's
        self.transport: BotTransport | None = None  # the one that the bot made
        self.direction: Direction | None = None  # which way the call went; by the bot's session

    def in_place_of(self, cls: type, given: Sequence[object]) -> object | None:
        """Return what to have in place of an object that is being made; None: the object itself.

        Args:
            cls: Its class.
            given: All that the class is given.
        """
        if current_session() is not self._session:  # another call, begun by the bot's code
            return None
        if cls.__module__.partition(".")[0] == _LAB and issubclass(cls, BaseTransport):
            raise BotError(
                "a VoiceAgent is started inside of a bot, which brings its own pipeline: start it "
                "in a session callback, async def create_session(call_id), and run that"
            )
        if issubclass(cls, BaseTransport):
            transport = self.make_transport(cls)
            transport.made_with(
                next((one for one in given if isinstance(one, TransportParams)), None)
            )
            return transport
        key = self._key_for(cls)
        return None if key is None else self._service(key, cls)

    def make_transport(self, stands_for: type) -> BotTransport:
        """Return the call's transport for the bot.

        Raises:
            BotError: It has one: a call has one line.
        """
        if self.transport is not None:
            raise BotError(
                f"the bot makes a second transport, {stands_for.__name__}, beside its "
                f"{self.transport.stands_for}: a call here has one line; run each of its parts "
                "as a bot of its own"
            )
        with seams.nobody_asked():
            self.transport = BotTransport(self._session, stands_for)
        self.transport.direction = self.direction
        return self.transport

    def _key_for(self, cls: type) -> str | None:
        """Return what ``replace`` calls this class, the closest first."""
        for base in cls.__mro__:
            if base.__name__ in self._replace:
                return base.__name__
        kind = kind_of_service(cls)
        return kind if kind is not None and kind in self._replace else None

    def _service(self, key: str, cls: type) -> object:
        given: Any = self._replace[key]
        self._used.add(key)
        if callable(given) and not isinstance(given, FrameProcessor):
            with seams.nobody_asked():
                service = given()
        elif id(given) in self._given:
            raise ArgumentError(
                f"replace={{{key!r}: {type(given).__name__}}}: the bot makes another "
                f"{cls.__name__} beside its {self._given[id(given)]}, and a service has one place: "
                "give a function that makes one"
            )
        else:
            self._given[id(given)] = cls.__name__
            service = given
        wanted = kind_of_service(cls)
        if wanted is not None and not isinstance(service, CLASSES[wanted]):
            raise ArgumentTypeError(
                f"replace={{{key!r}: ...}} gave a {type(service).__name__} in place of a "
                f"{cls.__name__}: give one of pipecat's {wanted} services, or a function that "
                "makes one"
            )
        self._made.append(service)
        return service

    def check_reached(self, found: Found) -> None:
        """Check, when the bot's pipeline is there, that what should be replaced in it is.

        Raises:
            BotError: A service in it is the bot's own, and should be another.
        """
        for services in found.members.values():
            for service in services:
                key = self._key_for(type(service))
                if key is not None and not any(service is one for one in self._made):
                    name = type(service).__name__
                    raise BotError(
                        f"replace={{{key!r}: ...}} did not reach the {name} in the bot's pipeline: "
                        "it was made before the call (where its module is imported, say), or in a "
                        "thread that knows nothing of the call (run_in_executor): make it inside "
                        "of the bot"
                    )
        if missed := [repr(key) for key in self._replace if key not in self._used]:
            self._session.notice(
                f"replace= has {' and '.join(missed)}, and the bot had made nothing of the kind "
                "when its pipeline began"
            )
