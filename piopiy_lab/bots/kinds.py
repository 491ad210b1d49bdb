"""Which of pipecat's runner arguments a bot gets: those of a transport that it was written for.

What a bot can be on is in no signature, so its code is looked at (never run): the keys of its
``transport_params``, the classes that it names. Of several the first in :data:`KINDS` is taken.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from piopiy_lab.bots.words import words_of
from piopiy_lab.errors import BotError
from piopiy_lab.session.signatures import annotated, parameters_of


@dataclass(frozen=True)
class Kind:
    """One thing that a bot can be on.

    Attributes:
        name: What ``create_transport`` calls it, and pipecat's runner after ``--transport``.
        arguments: pipecat's class of runner arguments.
        transport: The class of its transport, "module:class"; the bot's environment has it.
        words: What a bot names that was written for it, besides these.
    """

    name: str
    arguments: str
    transport: str
    words: tuple[str, ...] = ()

    @property
    def named(self) -> frozenset[str]:
        """Every word that tells of it."""
        cls = self.transport.partition(":")[2]
        general = () if self.arguments == _WEBSOCKET else (self.arguments, cls)
        return frozenset((self.name, *general, *self.words))

    def missing(self) -> str | None:
        """Say why its transport can't be had here; None: it can."""
        module, _, _ = self.transport.partition(":")
        try:
            importlib.import_module(module)
        except Exception as error:  # pipecat raises a plain Exception for a missing package
            return f"{type(error).__name__}: {error}"
        return None


_WEBSOCKET = "WebSocketRunnerArguments"
#: What pipecat calls its eval harness where the others have the name of a transport.
EVAL = "eval"
_FASTAPI = "pipecat.transports.websocket.fastapi:FastAPIWebsocketTransport"
#: In the order in which one is chosen: a browser's client first, then the rooms, then phone lines.
KINDS: tuple[Kind, ...] = (
    Kind(
        "webrtc",
        "SmallWebRTCRunnerArguments",
        "pipecat.transports.smallwebrtc.transport:SmallWebRTCTransport",
    ),
    Kind("daily", "DailyRunnerArguments", "pipecat.transports.daily.transport:DailyTransport"),
    Kind(
        "livekit", "LiveKitRunnerArguments", "pipecat.transports.livekit.transport:LiveKitTransport"
    ),
    Kind("twilio", _WEBSOCKET, _FASTAPI, ("TwilioFrameSerializer",)),
    Kind("telnyx", _WEBSOCKET, _FASTAPI, ("TelnyxFrameSerializer",)),
    Kind("plivo", _WEBSOCKET, _FASTAPI, ("PlivoFrameSerializer",)),
    Kind("exotel", _WEBSOCKET, _FASTAPI, ("ExotelFrameSerializer",)),
    Kind("websocket", _WEBSOCKET, _FASTAPI, ("FastAPIWebsocketTransport", _WEBSOCKET)),
    Kind(
        "vonage",
        "VonageRunnerArguments",
        "pipecat.transports.vonage.video_connector:VonageVideoConnectorTransport",
    ),
    Kind(
        EVAL,
        "EvalRunnerArguments",
        "pipecat.evals.transport:EvalTransport",
        ("EvalTransportParams",),
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def kind_of(bot: Callable[..., object], *, in_eval: bool = False) -> Kind:
    """Return what a bot is put on.

    Args:
        bot: The bot.
        in_eval: Whether pipecat's eval client calls it: what it was written for there comes first.

    Raises:
        BotError: Nothing of what it was written for can be had here.
    """
    words = words_of(bot)
    types_asked_for = {annotated(parameter) for parameter in parameters_of(bot)}
    candidates = [kind for kind in KINDS if kind.named & words]
    if meant := [kind for kind in KINDS if kind.arguments in types_asked_for]:
        candidates = [kind for kind in meant if kind in candidates] or meant[-1:]
    if in_eval:
        candidates.sort(key=lambda kind: kind.name != EVAL)
    why: list[str] = []
    for kind in candidates:
        if (missing := kind.missing()) is None:
            return kind
        why.append(f"{kind.name} ({missing})")
    if not candidates:  # it builds a transport in another way, or in another file
        return BY_NAME["webrtc"]
    raise BotError(
        f"{_name(bot)} was written for {', '.join(why)}: install what pipecat wants for one of them"
    )


def _name(bot: object) -> str:
    return getattr(bot, "__name__", type(bot).__name__)
