"""Whether a service's error ends the call, and with what.

Runs on the session's loop.
"""

from __future__ import annotations

from pipecat.frames.frames import ErrorFrame
from pipecat.pipeline.service_switcher import ServiceSwitcher

from piopiy_lab.errors import ServiceError
from piopiy_lab.pipeline.seams import is_uncaught
from piopiy_lab.services.error_texts import explained
from piopiy_lab.session.session import Session


def not_ready(waiting: list[str], secs: float) -> ServiceError:
    """Return the error of services that did not get ready in time."""
    return ServiceError(
        f"{' and '.join(waiting)} did not get ready within {secs:g} s: "
        "is its provider reachable, and its key valid?"
    )


def failure(frame: ErrorFrame, session: Session) -> ServiceError | None:
    """Return the error that ends the call, None where it goes on.

    A call ends when a service can't go on: refused for good, or raised in our hands. A switcher
    with another service to switch to can go on, and the log says how.
    """
    processor = frame.processor
    message, remedy = explained(frame)
    if isinstance(processor, ServiceSwitcher) and processor.is_usable:
        session.notice(f"{message}; others of its switcher are usable: call.switch_service(...)")
        return None
    raised = is_uncaught(frame)
    unusable = processor is not None and not processor.is_usable
    if not (raised or unusable or frame.fatal):
        return None
    name = type(processor).__name__ if processor else "the pipeline"
    error = ServiceError(f"{name} failed: {message}" + (f" - {remedy}" if remedy else ""))
    error.__cause__ = frame.exception
    return error
