from __future__ import annotations

from telephony_fixtures import agent_logger_level  # noqa: F401 - a fixture
