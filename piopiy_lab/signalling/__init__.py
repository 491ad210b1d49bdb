"""Signalling: how an ``Agent`` hears of its calls.

The server says ``join_room`` when a call is there for this agent and ``cancel_room`` when it is
gone again; the agent answers nothing. Two dialects carry these messages: Socket.IO for
``http(s)://`` addresses (Piopiy's own), and plain JSON over a WebSocket for ``ws(s)://`` ones
(a dispatcher of your own; see ``docs/telephony.md``).

A *link* is one connection, from its first byte to its end. Staying connected (which is a row of
links) is ``piopiy_lab.signalling.staying``.
"""

from __future__ import annotations

from piopiy_lab.signalling.links import Link, OnMessage, open_link

__all__ = ["Link", "OnMessage", "open_link"]
