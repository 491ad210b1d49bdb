"""What every transport of ours shares: frames in at the pace of the call, audio out on a schedule.

A transport has three parts. The *input* is fed with pieces of the caller's audio and makes pipecat
frames of them; the *output* hands the agent's audio to a :class:`Playout` and waits as long as the
listener would; and both give what was said and heard to the session's recorder.

Everything here runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    InputAudioRawFrame,
    OutputAudioRawFrame,
    StartFrame,
    StopFrame,
)
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports.handing_on import InTurn
from piopiy_lab.transports.held_sound import FADE_SECS, HeldSound
from piopiy_lab.transports.holding_output import HoldingOutput
from piopiy_lab.transports.over_the_line import OverTheLine
from piopiy_lab.transports.pacing import PacedAudio
from piopiy_lab.transports.playout import Playout

#: Seconds of audio in one input frame while somebody may be speaking.
FRAME_SECS = 0.02
#: Audio is handed over in pieces of this many 10 ms (fewer wake-ups; the playout is cut to the
#: sample all the same).
OUTPUT_10MS_CHUNKS = 10
#: How far ahead of the listener the output runs, in seconds: enough to hide a late wake-up.
LEAD_SECS = 0.06
#: Seconds before the agent's last sample is heard at which a line's last is handed over.
EARLY_SECS = 0.005


class SessionTransport(BaseTransport):
    """A pipecat transport that plays a session's audio and records it."""

    #: Whether what it plays fades out by itself when it is dropped.
    fades_itself = False

    def __init__(self, session: Session, settings: TransportSettings) -> None:
        """Make the transport.

        Args:
            session: The call it belongs to.
            settings: The rates of both sides.
        """
        super().__init__()
        self.session = session
        self.settings = settings
        self.params: TransportParams = TransportParams(
            audio_in_enabled=True,
            audio_in_sample_rate=settings.audio_in_sample_rate,
            audio_out_enabled=True,
            audio_out_sample_rate=settings.audio_out_sample_rate,
            audio_out_10ms_chunks=OUTPUT_10MS_CHUNKS,
            audio_out_end_silence_secs=0,
            **settings.sound_params,
        )
        self.playout = self.make_playout()
        self.phone_line = OverTheLine(session.settings.line)
        self.audio: PacedAudio = PacedAudio(session, self.playout, LEAD_SECS)
        self._input = SessionInput(self)
        self._output = self.make_output()
        session.recorder.hearing.late = self.caller_late
        self.phone_line.tell(session, self.caller_late)

    def input(self) -> SessionInput:
        """Return the processor that makes frames of the caller's audio."""
        return self._input

    def output(self) -> SessionOutput:
        """Return the processor that plays the agent's audio."""
        return self._output

    def run_at(self, audio_in_sample_rate: int, audio_out_sample_rate: int) -> None:
        """Take other rates, in Hz, before the pipeline starts."""
        self.settings = replace(
            self.settings,
            audio_in_sample_rate=audio_in_sample_rate,
            audio_out_sample_rate=audio_out_sample_rate,
        )
        self.params.audio_in_sample_rate = audio_in_sample_rate
        self.params.audio_out_sample_rate = audio_out_sample_rate
        self.playout.sample_rate = audio_out_sample_rate  # it has been given nothing yet

    @property
    def caller_late(self) -> float:
        """Seconds by which the caller is heard later than they speak."""
        return self.phone_line.caller_delay

    async def run(self) -> None:
        """Feed the input until cancelled; called when the pipeline has started.

        Subclasses capture audio here and give it to :meth:`feed`.
        """
        raise NotImplementedError

    def make_playout(self) -> Playout:
        """Make the account of what the listener hears."""
        return Playout(self.settings.audio_out_sample_rate)

    def make_output(self) -> SessionOutput:
        """Make the processor that plays the agent's audio."""
        return SessionOutput(self)

    @property
    def failure(self) -> Exception | None:
        """Why it could not connect or was lost; what fails here ends the session at once."""
        return None

    async def wait_until_open(self) -> None:
        """Wait until somebody can be at the other end; the agent greets only then."""

    async def wait_until_answered(self) -> None:
        """Whoever is at the other end of an open device is there."""

    def play(self, samples: Int16) -> None:
        """Hand a piece of the agent's audio to a device, if there is one behind this transport.

        Args:
            samples: int16, shape (n,), at the output rate; the playout has it already.
        """

    def stop_playing(self) -> float:
        """Drop what a device has not played yet.

        Returns:
            The call's seconds at which the listener hears nothing more: now, or a little later
            where a sound card keeps what it was given, or a line what is on its way.
        """
        self._output.finish()
        return self.session.now() + self.phone_line.agent_delay

    def heard_changed(self) -> None:
        """Called when what the listener hears has changed (audio added or cleared)."""

    def fed(self, samples: Int16) -> None:
        """Called with each piece of the caller's audio that the pipeline is about to get.

        Args:
            samples: int16, shape (n,), at the input rate; silence while the side is muted.
        """

    async def feed(self, start: float, samples: Int16) -> None:
        """Give a piece of the caller's audio to the pipeline and the recorder.

        While the user's side is muted (``Call.mute``) both get silence in its place.

        Args:
            start: The call's seconds of the first sample.
            samples: int16, shape (n,), at the input rate.
        """
        rate = self.settings.audio_in_sample_rate
        if self.session.muted:
            samples = np.zeros(len(samples), np.int16)
        self.fed(samples)
        self.audio.record_caller(start, samples, rate)
        samples = self._over_the_line(start, samples)
        self.audio.keep_heard(start, samples, rate)
        await self._input.push_audio_frame(
            InputAudioRawFrame(audio=samples.tobytes(), sample_rate=rate, num_channels=1)
        )

    def _over_the_line(self, start: float, samples: Int16) -> Int16:
        """Return what is heard of the caller; nothing of the line, either, while it is muted."""
        heard = self.phone_line.hear_caller(start, samples, self.settings.audio_in_sample_rate)
        return samples if self.session.muted else heard


class SessionInput(BaseInputTransport):
    """The caller's side: runs the transport's capture while the pipeline runs."""

    def __init__(self, transport: SessionTransport) -> None:
        """Make the input of ``transport``."""
        super().__init__(transport.params)
        self._transport = transport
        self._filtered = transport.params.audio_in_filter is not None
        self._held = False  # by a StopFrame
        self._in_turn = InTurn(self.push_frame) if transport.session.settings.virtual else None
        self._hand_on: asyncio.Task[None] | None = None  # as long as _run_task, in a simulation
        self._run_task: asyncio.Task[None] | None = None  # start() to stop() or cancel()

    async def start(self, frame: StartFrame) -> None:
        """Begin to capture."""
        await super().start(frame)
        self._held = False
        if self._filtered:
            await self.set_transport_ready(frame)
        elif self._in_turn is not None and self._hand_on is None:
            self._hand_on = self.create_task(self._in_turn.run())
        if self._run_task is None:
            self._run_task = self.create_task(self._transport.run())

    async def push_audio_frame(self, frame: InputAudioRawFrame) -> None:
        """Push a piece of the caller's audio: without pipecat's queue, where no filter needs it."""
        if self._filtered:
            await super().push_audio_frame(frame)
        elif self._held or not frame.audio:
            return
        elif self._in_turn is not None:
            self._in_turn.add(frame)
        else:
            await self.push_frame(frame)

    async def pause(self, frame: StopFrame) -> None:
        """Push nothing until the next StartFrame."""
        self._held = True
        if self._in_turn is not None:
            self._in_turn.clear()
        await super().pause(frame)

    async def stop(self, frame: EndFrame) -> None:
        """End the capture."""
        await self._stop_run()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        """End the capture at once."""
        await self._stop_run()
        await super().cancel(frame)

    async def cleanup(self) -> None:
        """End the capture, however the pipeline ended."""
        await self._stop_run()
        await super().cleanup()

    async def _stop_run(self) -> None:
        tasks = self._run_task, self._hand_on
        self._run_task = self._hand_on = None
        for task in tasks:
            if task is not None:
                await self.cancel_task(task)


class SessionOutput(HoldingOutput):
    """The agent's side: hands audio to the playout and keeps its pace."""

    def __init__(self, transport: SessionTransport) -> None:
        """Make the output of ``transport``."""
        super().__init__(transport.params)
        self._transport = transport
        self.voice: HeldSound = HeldSound(lambda: self.audio, self)
        self._finishing: asyncio.TimerHandle | None = None  # when what is on its way is heard

    @property
    def audio(self) -> PacedAudio:
        """The call's audio."""
        return self._transport.audio

    async def start(self, frame: StartFrame) -> None:
        """Get ready to play."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Schedule a piece of the agent's audio; returns shortly before it has been heard."""
        if not await self.voice.let_through() and frame.interruptible:
            return False
        samples = np.frombuffer(frame.audio, np.int16)
        line = self._transport.phone_line
        queued = self.audio.playout.ends_at - self.audio.session.now() if line.carries_agent else 0
        rate = self._transport.settings.audio_out_sample_rate
        self._hand_over(line.hear_agent(samples, rate, queued))
        self._let_line_end()
        await self.audio.wait_until_due()
        return True

    async def cleanup(self) -> None:
        """Leave nothing behind."""
        self._finish_in(None)
        self.voice.drop()
        self.voice.dropped()
        await super().cleanup()

    def clear(self) -> None:
        """Drop the audio that was not heard yet."""
        at = self._transport.stop_playing()
        self.voice.drop()
        self.audio.clear(at)
        self._transport.phone_line.cut(at)
        self._finish_in(None)
        self._transport.heard_changed()

    def finish(self) -> None:
        """Let what a line still has on its way be heard: nothing follows it."""
        self._finish_in(None)
        last = self._transport.phone_line.last_of_agent()
        if last is not None:
            self._hand_over(last)

    @property
    def fade_secs(self) -> float:
        """Seconds in which a sound that is held fades out."""
        return 0.0 if self._transport.fades_itself else FADE_SECS

    def take_back(self) -> float:
        """Play nothing more for now; returns when nothing more is heard, in seconds."""
        at = self._transport.stop_playing()
        self._transport.phone_line.hold(at)
        self._finish_in(None)
        return at

    def heard_changed(self) -> None:
        """What the listener hears has changed."""
        self._let_line_end()
        self._transport.heard_changed()

    def give(self, samples: Int16) -> None:
        """Schedule samples as they will be heard, and play them."""
        start = self.audio.hand_over(samples)
        self._transport.phone_line.played(start, samples, self.audio.playout.sample_rate)
        self._transport.play(samples)
        self._transport.heard_changed()
        self.audio.record_played()

    def _let_line_end(self) -> None:
        """Let what a line has on its way be heard in time, unless more comes."""
        if self._transport.phone_line.carries_agent and not self.voice.waits:
            self._finish_in(self.audio.playout.ends_at - self.audio.session.now() - EARLY_SECS)

    def _finish_in(self, secs: float | None) -> None:
        if self._finishing is not None:
            self._finishing.cancel()
        self._finishing = None
        if secs is not None:
            self._finishing = asyncio.get_running_loop().call_later(max(0.0, secs), self.finish)

    def _hand_over(self, samples: Int16) -> None:
        shaped = self.voice.shape(samples)
        if shaped is not None:
            self.give(shaped)
