"""The agent's account as the environment has it: ids, tokens and where to connect.

The vendor's own names work too (``PIOPIY_TOKEN``, ``PIOPIY_REGISTER``, ``PIOPIY_TLS``): with them
alone an agent is at Piopiy's gateway, as under the vendor's runner. There ``PIOPIY_TOKEN`` counts
before ``PIOPIY_AGENT_TOKEN``, and elsewhere behind it.
"""

from __future__ import annotations

import os

from piopiy_lab.telephony.signalling.links import is_gateway

ID_VARIABLE = "PIOPIY_AGENT_ID"
TOKEN_VARIABLE, GATEWAY_TOKEN_VARIABLE = "PIOPIY_AGENT_TOKEN", "PIOPIY_TOKEN"
URL_VARIABLE, REGISTER_VARIABLE, TLS_VARIABLE = (
    "PIOPIY_SIGNALING_URL",
    "PIOPIY_REGISTER",
    "PIOPIY_TLS",
)
REST_VARIABLES = ("PIOPIY_REST_URL", "PIOPIY_API_URL")
#: Piopiy's own gateway.
GATEWAY_HOST = "register.piopiy.com"


def agent_id() -> str:
    """Return the agent's id; "" if it isn't set."""
    return _value(ID_VARIABLE)


def token_variables(url: str | None) -> tuple[str, str]:
    """Return the variables that the token is read from, the first that is set, and to be set.

    Args:
        url: Where the agent connects, a checked address; None for Piopiy's own signalling.
    """
    if url is not None and is_gateway(url):
        return GATEWAY_TOKEN_VARIABLE, TOKEN_VARIABLE
    return TOKEN_VARIABLE, GATEWAY_TOKEN_VARIABLE


def token(url: str | None) -> str:
    """Return the agent's token where it connects; "" if it isn't set."""
    return next((found for name in token_variables(url) if (found := _value(name))), "")


def signaling_url() -> str | None:
    """Return where to connect, unchecked; None for Piopiy's own signalling over Socket.IO."""
    if url := _value(URL_VARIABLE):
        return url
    register = _value(REGISTER_VARIABLE)
    if not register:
        if not _value(GATEWAY_TOKEN_VARIABLE) or _value(TOKEN_VARIABLE):
            return None
        register = GATEWAY_HOST
    host = register.rpartition("://")[2].split("/", 1)[0]
    tls = _value(TLS_VARIABLE).lower() != "false"
    return f"{'grpcs' if tls else 'grpc'}://{host}"


def rest_url() -> str | None:
    """Return the base of the call control API; None if it isn't set."""
    return next((url for name in REST_VARIABLES if (url := _value(name))), None)


def _value(name: str) -> str:
    return os.environ.get(name, "").strip()
