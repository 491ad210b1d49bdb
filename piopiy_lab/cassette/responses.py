"""What of a realtime model's doings is its answer, and whether one is open.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

#: What a model says, by frame; the rest that it hands over is about the caller, or an error.
_SAID = (
    "LLMFullResponseStartFrame", "LLMFullResponseEndFrame", "LLMTextFrame",
    "LLMThoughtStartFrame", "LLMThoughtTextFrame", "LLMThoughtEndFrame",
    "TTSStartedFrame", "TTSAudioRawFrame", "TTSTextFrame", "TTSStoppedFrame",
)  # fmt: skip
_BEGINS: Mapping[str, str] = {
    "LLMFullResponseStartFrame": "words",
    "LLMTextFrame": "words",
    "TTSStartedFrame": "sound",
    "TTSAudioRawFrame": "sound",
}
_ENDS: Mapping[str, str] = {"LLMFullResponseEndFrame": "words", "TTSStoppedFrame": "sound"}
#: Methods that belong to an answer that is open, and begin none.
_MEASURING = (
    "stop_ttfb_metrics", "stop_processing_metrics", "start_llm_usage_metrics",
)  # fmt: skip
_STOPPING = ("stop_ttfb_metrics", "stop_processing_metrics")


def is_said(does: str, frame: str) -> bool:
    """Whether it is part of an answer: lost when the answer is interrupted before.

    Args:
        does: The method that the model called.
        frame: The class of the frame that it was given; "" if it was none.
    """
    return does == "run_function_calls" or frame in _SAID


def belongs(does: str, frame: str) -> bool:
    """Whether it goes with an answer that is open."""
    return is_said(does, frame) or does in _MEASURING


def ends(does: str, frame: str) -> bool:
    """Whether it ends what was begun: done at once when the answer is interrupted."""
    return does in _STOPPING or frame in _ENDS


class Response:
    """The answer that a model is giving."""

    def __init__(self) -> None:
        """There is none yet."""
        self.open: set[str] = set()  # "words" and "sound", while they are begun and not ended

    def see(self, frame: str) -> None:
        """Take the class of a frame that the model hands over."""
        if frame in _BEGINS:
            self.open.add(_BEGINS[frame])
        elif frame in _ENDS:
            self.open.discard(_ENDS[frame])

    def lacks(self, frame: str) -> bool:
        """Whether a frame would end what is not open."""
        return frame in _ENDS and _ENDS[frame] not in self.open

    def close(self) -> list[str]:
        """Return the classes of the frames that end what is open, which no longer is."""
        left = [frame for frame, part in _ENDS.items() if part in self.open]
        self.open.clear()
        return left
