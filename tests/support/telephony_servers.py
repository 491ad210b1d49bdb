"""Real signalling servers for tests: python-socketio's, and websockets' for the JSON dialect."""

from __future__ import annotations

import asyncio
import json

import socketio
import websockets
from aiohttp import web


class SignallingServer:
    """A Socket.IO signalling server on 127.0.0.1."""

    def __init__(self, token="tok-1", refusal="Invalid agent token", accept_secs=0.0, port=0):
        self.token, self.refusal, self.accept_secs, self.port = token, refusal, accept_secs, port
        self.auths = []
        self.sids = []
        self.sio = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins=[])
        self.sio.on("connect", self._connect)
        self.sio.on("disconnect", self._disconnect)

    async def _connect(self, sid, environ, auth):
        self.auths.append(auth)
        await asyncio.sleep(self.accept_secs)
        if not isinstance(auth, dict) or auth.get("token") != self.token:
            raise socketio.exceptions.ConnectionRefusedError(self.refusal)
        self.sids.append(sid)

    async def _disconnect(self, sid, reason=None):
        if sid in self.sids:
            self.sids.remove(sid)

    async def __aenter__(self):
        app = web.Application()
        self.sio.attach(app)
        self.runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self.runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_):
        for sid in list(self.sids):
            await self.sio.disconnect(sid)
        await self.sio.shutdown()
        await self.runner.cleanup()

    async def emit(self, event, data):
        await self.sio.emit(event, data)

    async def kick(self):
        for sid in list(self.sids):
            await self.sio.disconnect(sid)


class JsonServer:
    """The plain JSON dialect on 127.0.0.1."""

    def __init__(self, token="tok-1"):
        self.token = token
        self.auths = []
        self.sockets = []

    async def _serve(self, socket):
        auth = json.loads(await socket.recv())
        self.auths.append(auth)
        if auth["data"]["token"] != self.token:
            await socket.send(json.dumps({"event": "refused", "data": {"reason": "no such agent"}}))
            return
        await socket.send(json.dumps({"event": "ready"}))
        self.sockets.append(socket)
        await socket.wait_closed()
        self.sockets.remove(socket)

    async def __aenter__(self):
        self.server = await websockets.serve(self._serve, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/agents"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()

    async def emit(self, event, data):
        await self.send_raw(json.dumps({"event": event, "data": data}))

    async def send_raw(self, text):
        for socket in self.sockets:
            await socket.send(text)

    async def kick(self):
        for socket in list(self.sockets):
            await socket.close(1012, "service restart")


def invite(room="room-1", **more):
    return {"room_name": room, "token": "room-token", "url": "ws://127.0.0.1:1", **more}
