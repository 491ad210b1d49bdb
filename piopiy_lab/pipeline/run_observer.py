"""The observer of one run: what happens, who got ready, and nothing of services switched off.

Runs on the session's loop.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from pipecat.frames import frames as f
from pipecat.observers.base_observer import FramePushed, ProcessorSetUp

from piopiy_lab.pipeline.ahead_sound import TellLater
from piopiy_lab.pipeline.observer import CallObserver
from piopiy_lab.pipeline.switchboard import Switchboard
from piopiy_lab.session.session import Session
from piopiy_lab.transports.playout import AUDIBLE_PEAK


class Unlogged(Protocol):
    """Who is told what matters to a turn and is no event."""

    @property
    def awaits_sound(self) -> bool:
        """Whether there is a text of which nothing has been heard."""
        ...

    def sounded(self) -> None:
        """Sound that can be heard left the voice, or none is to be heard."""
        ...

    def answered(self) -> None:
        """The LLM was right to say nothing."""
        ...


class RunObserver(CallObserver):
    """The call's one observer, which also knows who got ready."""

    def __init__(self, session: Session, set_up: set[str], turns: Unlogged) -> None:
        """Observe for a call.

        Args:
            session: The call.
            set_up: Where the names of processors go that got ready.
            turns: Told what no event tells.
        """
        super().__init__(session.log, deterministic=session.settings.virtual)
        self._session = session
        self._set_up = set_up
        self._turns = turns
        self._later = TellLater()
        self.switchboard: Switchboard | None = None  # written when the chain is built

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take a frame, unless it comes late from a service that was switched off."""
        switchboard = self.switchboard
        if switchboard is None or not switchboard.is_late(data.source, data.frame):
            self._session.frames += 1
            if not self._later.keeps(data):
                for one in (data, *self._later.let_go(data)):
                    await super().on_push_frame(one)
                    self._tell_turns(one.frame)

    def _tell_turns(self, frame: f.Frame) -> None:
        match frame:
            case f.OutputAudioRawFrame() if self._turns.awaits_sound:
                if _is_audible(frame.audio):
                    self._turns.sounded()
            case f.LLMTextFrame(skip_tts=True):
                self._turns.sounded()  # it is for reading
            case f.LLMMarkerFrame():
                self._turns.answered()  # "the user isn't done": it rightly says nothing
            case _:
                pass

    async def on_processor_setup(self, data: ProcessorSetUp) -> None:
        """Note that a processor got ready."""
        self._set_up.add(data.processor.name)


def _is_audible(audio: bytes) -> bool:
    """Tell whether int16 samples hold more than silence."""
    samples = np.frombuffer(audio, np.int16)
    return bool(len(samples)) and int(np.abs(samples.astype(np.int32)).max()) >= AUDIBLE_PEAK
