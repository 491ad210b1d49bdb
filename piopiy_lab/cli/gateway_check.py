"""What ``piopiy-lab doctor`` tries where the environment has an agent of Piopiy's gateway."""

from __future__ import annotations

import asyncio

from piopiy_lab.cli import account
from piopiy_lab.cli.check import Check
from piopiy_lab.errors import SignalingError
from piopiy_lab.telephony.signalling.links import check_url, is_gateway

NAME = "gateway"


def gateway_checks() -> list[Check]:
    """Register the agent with its gateway, and leave; nothing where the environment has none.

    It is the one check that talks to another machine, and sends it nothing but who the agent is.

    Raises:
        ArgumentError: The environment has an address that is none.
        MissingExtraError: There is no gRPC.
    """
    url = account.signaling_url()
    if url is None or not is_gateway(check_url(url)):
        return []
    agent_id, token = account.agent_id(), account.token(url)
    if not agent_id or not token:
        lacks = account.token_variables(url)[0] if agent_id else account.ID_VARIABLE
        return [Check(NAME, "missing", f"{lacks} is not set", remedy="see docs/telephony.md")]
    return [_registered(url, agent_id, token)]


def _registered(url: str, agent_id: str, token: str) -> Check:
    from piopiy_lab.telephony.gateway_check import check_credentials

    try:
        return Check(NAME, "ok", asyncio.run(check_credentials(url, agent_id, token)))
    except SignalingError as error:
        told = str(error) if error.refused else f"offline, or not there: {error}"
        return Check(NAME, "failed", told)
