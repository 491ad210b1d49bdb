"""A detector for a bot that leaves turns to its realtime model, where an offline one stands in.

The model's server tells such a bot when its caller speaks; the offline stand-in can't, so it brings
a detector, as it does for a VoiceAgent. Runs on the session's loop.
"""

from __future__ import annotations

from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab.bots.found import Found
from piopiy_lab.listening.seams import SharedSileroVADAnalyzer
from piopiy_lab.session.session import Session


def bring_detector(found: Found, source: FrameProcessor, session: Session) -> VADProcessor | None:
    """Put a detector behind the transport's input, if a service in the pipeline brings one.

    Args:
        found: The bot's pipeline; its ``analyzer`` is the detector's then.
        source: The transport's input, linked and not set up.
        session: The bot's call, where a notice says so.

    Returns:
        The detector, for whoever sets the input up and cleans up; None where none is needed.
    """
    services = (service for members in found.members.values() for service in members)
    bringing = next((s for s in services if getattr(s, "brings_vad", False)), None)
    if found.analyzer is not None or bringing is None:
        return None
    session.notice(
        f"this bot has no voice activity detector, and {type(bringing).__name__} stands in for a "
        "service that hears where speech is itself: Silero listens behind the transport's input"
    )
    following = source.next
    assert following is not None, "a transport's input is followed by something"
    found.analyzer = SharedSileroVADAnalyzer()
    detector = VADProcessor(vad_analyzer=found.analyzer)
    source.link(detector)
    detector.link(following)
    return detector
