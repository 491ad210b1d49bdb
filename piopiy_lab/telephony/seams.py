"""What an agent on the phone needs of python-socketio's insides: checked when this is imported.

Missing: a class, or the status as a number, of Engine.IO's error for an answer that is none of its
own; and a hook for messages that are broken. Any thread; the hook's calls on the client's loop.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import socketio
from engineio import AsyncClient

from piopiy_lab.services.fitting import attributes, expect_text, method

_CONNECT = "_connect_polling"
_REFUSED = "an agent whose token is refused"
#: What Engine.IO's client says of an HTTP status that is no success, up to the status.
_STATUS = "Unexpected status code "

_BROKEN = "an agent that is sent broken messages"
#: Binary parts that one message may have; an invite has none.
MAX_PARTS = 16

RELIED_ON = (
    method(AsyncClient, _CONNECT, "url", "headers", "engineio_path", needed_by=_REFUSED),
    method(socketio.AsyncClient, "_handle_eio_message", "data", needed_by=_BROKEN),
    *attributes(socketio.AsyncClient, "_binary_packet", needed_by=_BROKEN),
)


def check_messages() -> None:
    """Check that a server that refuses an agent can be told from one that is not there.

    Raises:
        IncompatibleVersionError: python-engineio says it otherwise.
    """
    for reliance in RELIED_ON:
        reliance.check()
    expect_text(getattr(AsyncClient, _CONNECT), _STATUS, needed_by=_REFUSED)


check_messages()


def is_refusal(told: str) -> bool:
    """Whether an Engine.IO error's text is of a server that wants another token, or lets none in.

    Else the agent would try for ever to connect with a token that is wrong.
    """
    return re.search(f"{_STATUS}40[13]", told) is not None


def drop_broken_messages(client: socketio.AsyncClient, on_broken: Callable[[str], None]) -> None:
    """Let a client live through messages that are none, and say so; before it connects.

    After the header of a message with binary parts it takes whatever comes for such a part: when
    none came it was deaf to the next invite, or to all that followed.
    """

    async def take(data: object) -> None:
        pending = client._binary_packet
        if pending is not None and (isinstance(data, str) or pending.attachment_count == 0):
            client._binary_packet = None
            on_broken("a binary part was announced and never sent")
        try:
            await client._handle_eio_message(data)
            pending = client._binary_packet
            if pending is not None and pending.attachment_count > MAX_PARTS:
                client._binary_packet = None
                on_broken(f"{pending.attachment_count} binary parts were announced")
        except Exception as error:  # of the parser: python-socketio checks little
            client._binary_packet = None
            on_broken(f"{type(error).__name__}: {error}")

    client.eio.on("message", take)
