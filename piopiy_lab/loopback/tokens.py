"""The tokens of one platform: agents', and rooms'.

A room's are JWTs with LiveKit's grants, signed with a secret that only this platform has.

Pure but for the random secret and the wall clock that an expiry needs.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import jwt

from piopiy_lab.errors import ArgumentTypeError

#: Seconds for which a room token is good, unless told otherwise.
TOKEN_SECS = 3600.0
#: Seconds by which two clocks may differ.
LEEWAY_SECS = 1.0


class TokenError(Exception):
    """A token that opens no room; the message says why and never holds the token."""


@dataclass(frozen=True)
class RoomTicket:
    """What a LiveKit client needs to join a room; the token never shows."""

    url: str
    room_name: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class RoomGrant:
    """What a checked token allows.

    Attributes:
        identity: Who joins.
        name: How they are shown.
        room: The room's name.
        can_publish: Whether they may send audio.
        can_subscribe: Whether they may receive it.
        can_publish_data: Whether they may send data messages.
    """

    identity: str
    name: str
    room: str
    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True


class AgentTokens:
    """Which agents there are, each with the token that it shows."""

    def __init__(self, known: Mapping[str, str] | None) -> None:
        """Know of some.

        Raises:
            ArgumentTypeError: An id or a token is no text, or empty.
        """
        self._tokens: dict[str, str] = {}
        for agent_id, token in (known or {}).items():
            if not isinstance(agent_id, str) or not agent_id:
                raise ArgumentTypeError(f"agents: the id {agent_id!r} is no text")
            if not isinstance(token, str) or not token:
                raise ArgumentTypeError(f"agents: the token of {agent_id!r} is no text")
            self._tokens[agent_id] = token

    def get(self, agent_id: str) -> str | None:
        """Return an agent's token; None of one that there is not."""
        return self._tokens.get(agent_id)

    def get_or_make(self, agent_id: str) -> str:
        """Return an agent's token; an id that is new gets a random one.

        Raises:
            ArgumentTypeError: The id is no text, or empty.
        """
        if not isinstance(agent_id, str) or not agent_id:
            raise ArgumentTypeError(f"agent_id={agent_id!r}: give a text")
        return self._tokens.setdefault(agent_id, secrets.token_urlsafe(24))


class TokenMint:
    """Makes and checks the tokens of one platform."""

    def __init__(self) -> None:
        """Take a fresh random key and secret."""
        self._key = f"loopback{secrets.token_hex(4)}"
        self._secret = secrets.token_urlsafe(32)

    def room_token(
        self, room: str, identity: str, *, secs: float = TOKEN_SECS, **grants: object
    ) -> str:
        """Return a token that lets ``identity`` join a room.

        Args:
            room: The room's name.
            identity: Who joins.
            secs: Seconds for which it is good; negative for one that has expired.
            **grants: More video grants, ``canPublish=False`` say.
        """
        now = time.time()
        claims = {
            "iss": self._key,
            "sub": identity,
            "name": identity,
            "nbf": int(now - LEEWAY_SECS),
            "exp": int(now + secs),
            "video": {"room": room, "roomJoin": True, **grants},
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def check(self, token: str) -> RoomGrant:
        """Return what a token allows.

        Raises:
            TokenError: It is no token of this platform's, has expired, or opens no room.
        """
        if not token:
            raise TokenError("no access token was given")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                issuer=self._key,
                leeway=LEEWAY_SECS,
                options={"require": ["exp", "sub", "iss"]},
            )
        except jwt.ExpiredSignatureError:
            raise TokenError("the access token has expired") from None
        except jwt.PyJWTError as error:
            raise TokenError(f"the access token is not valid ({error})") from None
        video = claims.get("video")
        if not isinstance(video, dict) or not video.get("roomJoin") or not video.get("room"):
            raise TokenError("the access token grants no room")
        identity = str(claims["sub"])
        return RoomGrant(
            identity=identity,
            name=str(claims.get("name") or identity),
            room=str(video["room"]),
            can_publish=bool(video.get("canPublish", True)),
            can_subscribe=bool(video.get("canSubscribe", True)),
            can_publish_data=bool(video.get("canPublishData", True)),
        )
