"""Puts a call's modelled latency and its cassette between a service and its provider.

Runs on the session's loop, before the service does.
"""

from __future__ import annotations

from piopiy_lab.services import modelled_latency
from piopiy_lab.session.session import Session


def tape(session: Session, kind: str, name: str | None, service: object) -> None:
    """Give a service its modelled latency, and the call's cassette its place in between.

    What a recogniser hears is late behind the cassette, as everything else is before it.

    Args:
        session: The call.
        kind: "stt", "llm" or "tts".
        name: The service's name, if there are several of its kind.
        service: The service.
    """
    latency, cassette = session.settings.latency, session.settings.cassette
    if latency and kind == "stt":
        modelled_latency.slow_down({kind: service}, latency)
    if cassette is not None:
        cassette.attach(session, kind, name, service)
    if latency and kind != "stt":
        modelled_latency.slow_down({kind: service}, latency)
