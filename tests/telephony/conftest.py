from __future__ import annotations

from telephony_fixtures import (  # noqa: F401 - fixtures
    agent_logger_level,
    make_agent,
    running_agent,
    unused_tcp_port,
)
