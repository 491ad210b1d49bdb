"""Whether the gateway knows an agent: registers it as a worker that takes no calls, and leaves.

Runs on the loop that asks.
"""

from __future__ import annotations

import asyncio

from piopiy_lab._version import __version__
from piopiy_lab.gateway.messages import (
    FromGateway,
    JobAssignment,
    JobRejected,
    Register,
    RejectReason,
    ServingState,
    StatusUpdate,
)
from piopiy_lab.redaction import keep_secret, shown_url
from piopiy_lab.telephony.signalling.gateway import GatewayLink
from piopiy_lab.telephony.signalling.links import Credentials, check_url

_WHY = "a check of the credentials"


async def check_credentials(url: str, agent_id: str, token: str) -> str:
    """Register, and leave again; returns what was found, in a line.

    Args:
        url: The gateway, ``grpcs://host`` or ``grpc://host:port``.
        agent_id: The agent.
        token: Its token; never shown.

    Raises:
        ArgumentError: The address is no gateway's.
        SignalingError: There is no gateway, or it refused.
    """
    keep_secret(token)
    register = Register(
        agent_id=agent_id,
        instance_id="piopiy-lab-check",
        max_sessions=1,
        runtime=f"piopiy-lab/{__version__}",
    )
    link = GatewayLink(
        check_url(url),
        Credentials(agent_id, token),
        register,
        lambda: StatusUpdate(state=ServingState.NOT_SERVING, detail=_WHY),
        _decline,
    )
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        await link.connect()
        took = loop.time() - began
        link.tell_status()
    finally:
        await link.close()
    return (
        f"agent {agent_id!r} is registered at {shown_url(url)} in {1000 * took:.0f} ms; calls are "
        f"to be accepted within {link.accept_deadline_ms} ms"
    )


def _decline(link: GatewayLink, message: FromGateway, came_at: float) -> None:
    """Take no call that comes before the gateway has heard that none is taken."""
    if isinstance(message, JobAssignment):
        link.send(JobRejected(job_id=message.job_id, reason=RejectReason.AT_CAPACITY, detail=_WHY))
