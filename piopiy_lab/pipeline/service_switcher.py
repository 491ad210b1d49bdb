"""Piopiy's import path for the service switcher: pipecat's own classes."""

from pipecat.pipeline.service_switcher import ServiceSwitcher, ServiceSwitcherStrategyManual

__all__ = ["ServiceSwitcher", "ServiceSwitcherStrategyManual"]
