"""The telephony platform on your own machine: real protocols, on 127.0.0.1 only.

A :class:`LoopbackPlatform` has signalling servers (Socket.IO, JSON over WebSocket, gRPC), rooms
(LiveKit's signalling, WebRTC media by aiortc), the REST endpoints of call control, and a scripted
caller who dials in. An ``Agent`` connects to it as it connects to Piopiy::

    async with LoopbackPlatform() as platform:
        token = platform.agent_token("desk")
        agent = Agent("desk", token, create_session, signaling_url=platform.signaling_url)
        ...
        call = await platform.place_call("desk", Caller().hears_greeting().hangs_up())

See docs/loopback.md. Everything here runs on the loop that entered the platform.
"""

from __future__ import annotations

from piopiy_lab.errors import MissingExtraError

try:
    import aiohttp  # noqa: F401 - looked for, so that a missing extra has its name
    import aiortc  # noqa: F401
    import grpc  # noqa: F401
    import jwt  # noqa: F401
    import livekit.protocol.rtc  # noqa: F401
    import socketio  # noqa: F401
except ImportError as error:
    raise MissingExtraError("piopiy_lab.loopback", "telephony", detail=str(error)) from error

from piopiy_lab.loopback.link import LinkSettings
from piopiy_lab.loopback.platform import LoopbackPlatform

__all__ = ["LinkSettings", "LoopbackPlatform"]
