"""The bot's end of an eval: pipecat's eval transport, on a line in memory instead of a WebSocket.

It does what pipecat's ``EvalFastAPIWebsocketTransport`` does (which needs FastAPI): the flags of
the connection are applied before the bot hears that a client is there, messages go through
pipecat's own ``EvalSerializer``, an image that the scenario shows is served. The agent's audio
keeps the pace of the call and is recorded, as on every transport of ours. Runs on the session's
loop.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import numpy as np
import soxr
from pipecat.evals.serializer import (
    EVAL_STT_SAMPLE_RATE,
    EvalConnectionFlags,
    EvalSerializer,
    parse_eval_connect,
)
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InputTransportMessageFrame,
    LLMConfigureOutputFrame,
    OutputAudioRawFrame,
    OutputImageRawFrame,
    OutputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
    UserImageRequestFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup

from piopiy_lab.evals.user_words import UserWords
from piopiy_lab.evals.wire import End
from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.sound import pcm
from piopiy_lab.transports.base import SessionInput, SessionOutput, SessionTransport

#: Pieces of the agent's audio, in 10 ms: what pipecat's eval transport sends at a time.
CHUNK_10MS = 4


#: Turns of the loop between the bot's being told of its client and the client's first message: what
#: the bot does at once has begun by then, as where a client connects over a network. It takes no
#: time: where a bot greets by asking a model, virtual time stands still until that has answered.
SETTLED_TURNS = 50


#: Seconds that a voice takes at the least to be heard after silence. Over a network the client has
#: said that it is there, and sent its first line, before any bot's greeting sounds; here a voice
#: that takes no time would be the first.
VOICE_SECS = 0.02
#: Seconds of silence from which on the agent's audio begins anew.
SILENT_SECS = 0.2


#: What a bot is told that asks for an image where the scenario shows none: pipecat's own words.
NO_IMAGE = "No user image is registered."


class EvalTransport(SessionTransport):
    """A session's transport whose other end is pipecat's eval client."""

    def __init__(
        self, session: Session, settings: TransportSettings, line: End, words: UserWords
    ) -> None:
        """Make the transport.

        Args:
            session: The call it belongs to.
            settings: The rates of both sides.
            line: The bot's end; the first message on it says what the eval wants of the bot.
            words: What the user's sound says.
        """
        super().__init__(session, settings)
        self.params.audio_out_10ms_chunks = CHUNK_10MS
        self.line = line
        self.words = words
        self._ready = False  # whether the client was told that the bot is
        self._held: list[str | bytes] = []  # what it is told behind that
        self._open = asyncio.Event()  # set when the bot knows what the connection asks of it
        self.serializer = EvalSerializer()
        self._input = EvalInput(self)

    def make_output(self) -> EvalOutput:
        """Make the processor that plays the agent's audio and reports it."""
        return EvalOutput(self)

    async def run(self) -> None:
        """Take what the eval client sends, until it hangs up or the pipeline ends."""
        await self._input.set_up_client(await self._flags())
        self._open.set()
        await self.session.wait_until_listening()
        for _ in range(SETTLED_TURNS):
            await asyncio.sleep(0)
        async for message in self.line:
            if (audio := _audio_of(message)) is not None:
                await self._input.push_audio_frame(audio)
            elif (frame := await self.serializer.deserialize(message)) is not None:
                await self._input.take(frame)
        self.words.over(self.session)
        self.session.end("caller_hung_up")

    async def wait_until_open(self) -> None:
        """Wait until the bot's output is as the eval wants it: what greets is silent then, too."""
        await self._open.wait()

    async def _flags(self) -> EvalConnectionFlags:
        """Return what the connection asks of the bot: its first message."""
        async for message in self.line:
            flags = parse_eval_connect(json.loads(message))
            if flags is not None:
                return flags
        return EvalConnectionFlags()

    async def send(self, frame: Frame) -> None:
        """Send what the eval client is told of a frame, if it is told of it.

        The first is that the bot is ready. What a bot says that answers in no time comes behind it:
        over a network it takes longer than that.
        """
        payload = await self.serializer.serialize(frame)
        if not payload:
            return
        if not self._ready and not _is_ready(payload):
            self._held.append(payload)
            return
        await self.line.send(payload)
        self._ready = True
        held, self._held = self._held, []
        for payload in held:
            await self.line.send(payload)


def _audio_of(message: str | bytes) -> InputAudioRawFrame | None:
    """Return the caller's audio that a message holds; None for any other message.

    pipecat's RTVI processor, which stands first in a bot's pipeline, makes the same frame of it and
    pushes it to this input. The message itself went through the whole pipeline before, 25 times a
    second, and nobody looked at it: that was half of an eval's time.
    """
    told = json.loads(message) if '"raw-audio"' in str(message) else {}
    data = told.get("data") if told.get("type") == "raw-audio" else None
    if not isinstance(data, dict) or "base64Audio" not in data:
        return None
    return InputAudioRawFrame(
        audio=base64.b64decode(data["base64Audio"]),
        sample_rate=data["sampleRate"],
        num_channels=data["numChannels"],
    )


def _is_ready(message: str | bytes) -> bool:
    """Whether a message is the one by which a bot answers its client."""
    return '"bot-ready"' in str(message) and json.loads(message).get("type") == "bot-ready"


class EvalInput(SessionInput):
    """The caller's side: frames from the eval client's messages, and the caller's audio."""

    def __init__(self, transport: EvalTransport) -> None:
        """Make the input of ``transport``."""
        super().__init__(transport)
        self._eval = transport
        self._fed_to = 0.0  # the call's seconds: the caller's audio is recorded up to here

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Set the serializer up with the pipeline."""
        await super().setup(setup)
        await self._eval.serializer.setup(setup)

    async def set_up_client(self, flags: EvalConnectionFlags) -> None:
        """Tell the bot's pipeline what the client asks of it."""
        self._eval.serializer.set_capture_audio(flags.capture_bot_audio)
        self._eval.serializer.set_capture_images(flags.capture_bot_images)
        await self.push_frame(LLMConfigureOutputFrame(skip_tts=flags.skip_tts))

    async def take(self, frame: Frame) -> None:
        """Push a frame that came from the client; messages both ways, as pipecat does."""
        if isinstance(frame, InputTransportMessageFrame):
            await self.broadcast_frame(InputTransportMessageFrame, message=frame.message)
        else:
            await self.push_frame(frame)

    async def push_audio_frame(self, frame: InputAudioRawFrame) -> None:
        """Take the caller's audio, which comes through RTVI, and record it."""
        samples = np.frombuffer(frame.audio, np.int16)
        audio, now = self._eval.audio, self._eval.session.now()
        self._fed_to = max(self._fed_to, now - len(samples) / frame.sample_rate)
        self._eval.words.came(self._eval.session, self._fed_to, samples, frame.sample_rate)
        audio.record_caller(self._fed_to, samples, frame.sample_rate)
        audio.keep_heard(self._fed_to, samples, frame.sample_rate)
        self._fed_to += len(samples) / frame.sample_rate
        await super().push_audio_frame(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Serve the image that the scenario shows, where the bot asks for one."""
        await super().process_frame(frame, direction)
        if isinstance(frame, UserImageRequestFrame):
            image = await self._eval.serializer.user_image_frame(frame)
            if image is not None:
                await self.push_frame(image)
            elif frame.result_callback is not None:  # the tool that asked would wait for ever
                await frame.result_callback({"error": NO_IMAGE})


class EvalOutput(SessionOutput):
    """The agent's side: what is played, and what the eval client is told."""

    def __init__(self, transport: EvalTransport) -> None:
        """Make the output of ``transport``."""
        super().__init__(transport)
        self._eval = transport
        self._silent_from = 0.0  # the call's seconds from which on audio begins anew
        self._begins_anew = True  # whether the next audio does
        self._ears: Any = None  # soxr's stream, as pipecat's client makes one

    async def stop(self, frame: EndFrame) -> None:
        """Hang up: the bot has said all that it will say."""
        await super().stop(frame)
        await self._eval.line.close()

    async def cancel(self, frame: CancelFrame) -> None:
        """Hang up at once."""
        await super().cancel(frame)
        await self._eval.line.close()

    async def send_message(
        self, frame: OutputTransportMessageFrame | OutputTransportMessageUrgentFrame
    ) -> None:
        """Send a message of the bot's, RTVI's first of all."""
        await self._eval.send(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Send a piece of the agent's audio and schedule it."""
        await self._eval.send(self._as_heard(frame))
        return await super().write_audio_frame(frame)

    def _as_heard(self, frame: OutputAudioRawFrame) -> OutputAudioRawFrame:
        """Return audio at the rate at which the client hears it.

        The client would resample it otherwise: in the same way, but with dither, so no run would
        be like another.
        """
        if frame.sample_rate == EVAL_STT_SAMPLE_RATE:
            return frame
        if self._begins_anew:
            self._ears = soxr.ResampleStream(
                frame.sample_rate, EVAL_STT_SAMPLE_RATE, 1, dtype="float32", quality="VHQ"
            )
            self._begins_anew = False
        samples = pcm.to_float32(np.frombuffer(frame.audio, np.int16))
        return OutputAudioRawFrame(
            audio=pcm.to_int16(self._ears.resample_chunk(samples)).tobytes(),
            sample_rate=EVAL_STT_SAMPLE_RATE,
            num_channels=frame.num_channels,
        )

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Let a voice take a moment; report an image that the bot shows."""
        if isinstance(frame, OutputAudioRawFrame) and direction is FrameDirection.DOWNSTREAM:
            now = self._eval.session.now()
            if now >= max(self._silent_from, self.audio.playout.ends_at):
                self._begins_anew = True
                await asyncio.sleep(VOICE_SECS)
            self._silent_from = self._eval.session.now() + SILENT_SECS
        await super().process_frame(frame, direction)
        if isinstance(frame, OutputImageRawFrame):
            await self._eval.send(frame)
