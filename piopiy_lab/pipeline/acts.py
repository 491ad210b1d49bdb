"""What a running agent can be told or asked, done: the commands of a ``Call`` and of its tools.

Runs on the session's loop, but for :meth:`Acts.prepare`, which any thread may call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import (
    InputDTMFFrame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
    TTSSpeakFrame,
    VADParamsUpdateFrame,
)

from piopiy_lab import events
from piopiy_lab.errors import CallControlError
from piopiy_lab.events.values import InterruptionCause, TransferCause
from piopiy_lab.listening.tuning import Tuning
from piopiy_lab.pipeline.chain import Chain, Ends, QueueFrame, RealtimeMessageFrame
from piopiy_lab.pipeline.hearing_out import HearingOut
from piopiy_lab.pipeline.run_observer import RunObserver
from piopiy_lab.pipeline.switchboard import Switchboard
from piopiy_lab.pipeline.transfer_lines import line_of, note_of
from piopiy_lab.services.realtime import Mode, line_request
from piopiy_lab.session.call_control import TransferNews
from piopiy_lab.session.commands import (
    AgentCommand,
    Interrupt,
    Press,
    Say,
    SwitchService,
    Transfer,
    Tune,
    UserSays,
)
from piopiy_lab.session.running_agent import Act
from piopiy_lab.session.session import Session
from piopiy_lab.session.transfer_order import TransferOrder
from piopiy_lab.session.transferring import Transfer as RunningTransfer


class Acts:
    """Does what one running agent is told; the ``ToolHost`` of its tools."""

    def __init__(
        self,
        session: Session,
        mode: Mode,
        chain: Chain | Ends,
        queue_frame: QueueFrame,
        *,
        observer: RunObserver,
        tuning: Tuning,
        switchboard: Switchboard,
    ) -> None:
        """Act on a pipeline.

        Args:
            session: The call.
            mode: What hears and what speaks.
            chain: The pipeline's two ends, at least.
            queue_frame: Puts a frame at the pipeline's beginning.
            observer: The run's.
            tuning: The detector's and the turns' settings.
            switchboard: The switchers.
        """
        self._session = session
        self._mode = mode
        self._input = chain.input
        self._queue_frame = queue_frame
        self._observer = observer
        self._tuning = tuning
        self._switchboard = switchboard
        self._hearing_out = HearingOut(session, observer, chain.output, queue_frame)

    def prepare(self, command: AgentCommand) -> Act:
        """Check a command and return what does it, on the session's loop; any thread.

        Raises:
            ArgumentError: A setting or service that this call doesn't have.
            ServiceError: The service can no longer do its job.
        """
        match command:
            case Say(text=text):
                return partial(self.say, text)
            case UserSays(text=text):
                return partial(self.user_says, text)
            case Press(digits=digits):
                return partial(self._press, digits)
            case Interrupt():
                return partial(self._interrupt, "command")
            case Transfer():
                return partial(self._transfer_if_possible, command)
            case Tune(settings=settings):
                self._tuning.check(settings)
                return partial(self._tune, settings)
            case SwitchService(service=wanted):
                service = self._switchboard.find(wanted)
                if service is None:
                    return partial(self._nothing_switched, wanted)
                return partial(self._switchboard.ask, service, self._queue_frame)

    # --- for tools and the agent's own code --------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether the call is ending."""
        return self._session.reason is not None

    async def heard_out(self) -> None:
        """Wait until all that the agent is about to say has been heard, or the call ends."""
        await self._hearing_out.wait()

    async def remark(self, text: str) -> None:
        """Speak a text while a tool works.

        It stays out of the context: behind a tool's result it would be the last message, and a
        language model takes that for the beginning of its own answer.
        """
        await self.say(text, in_context=False)

    async def end_call(self) -> None:
        """End the call once the agent has been heard out."""
        await self.heard_out()
        self._session.end("agent_ended")

    async def transfer(self, order: TransferOrder, cause: TransferCause) -> RunningTransfer | None:
        """Ask for a transfer once the agent has been heard out.

        Returns:
            The transfer, under way or done; None off the phone, and when the call has ended.

        Raises:
            CallControlError: The platform refused. The call goes on.
        """
        await self.heard_out()
        if self._session.reason is not None:
            return None
        return await self._session.transfers.begin(order, cause)

    async def transferred(self, transfer: RunningTransfer) -> None:
        """Wait until a transfer has come out, or the call has ended.

        Raises:
            CallControlError: It came to nothing. The call goes on.
        """
        await self._session.transfers.wait(transfer)

    async def narrate(self, news: TransferNews, lines: Mapping[str, str]) -> None:
        """Tell the caller how a transfer stands, and let the LLM know; a realtime model says it.

        Args:
            news: How it stands.
            lines: The agent's own words.
        """
        line, note = line_of(news, lines), note_of(news)
        if self._mode != "cascaded":
            if not line:  # a realtime model would answer the note
                return
            if self._mode == "speech":
                self._hearing_out.expect_speech()
            await self._queue_frame(RealtimeMessageFrame(message=line_request(line, note)))
            return
        message: Any = {"role": "developer", "content": note}
        await self._queue_frame(LLMMessagesAppendFrame(messages=[message], run_llm=False))
        if line:
            await self.say(line)

    # --- commands ----------------------------------------------------------------------------

    async def say(self, text: str, *, in_context: bool = True) -> None:
        """Speak a text, after what is being spoken; a realtime model is asked to.

        Args:
            text: What to say.
            in_context: Whether the LLM is to know of it.
        """
        assert self._session.on_loop(), "only on the session's loop"
        if self._mode == "speech":
            self._hearing_out.expect_speech()
            await self._queue_frame(RealtimeMessageFrame(message=line_request(text)))
            return
        words = TTSSpeakFrame(text, append_to_context=in_context)
        self._switchboard.will_come(words, "tts")
        await self._queue_frame(words)

    async def user_says(self, text: str) -> None:
        """Take a typed user turn: stop what the agent says, and answer."""
        session = self._session
        assert session.on_loop(), "only on the session's loop"
        session.log.append(events.UserTextTyped(at=session.now(), text=text))
        await self._interrupt("typed")
        message: Any = {"role": "user", "content": text}
        if self._mode != "cascaded":
            await self._queue_frame(RealtimeMessageFrame(message=message))
            return
        asked = LLMMessagesAppendFrame(messages=[message], run_llm=True)
        self._switchboard.will_come(asked, "llm")
        await self._queue_frame(asked)

    async def _press(self, digits: str) -> None:
        """Press keys for the caller, as if they came from the phone."""
        for digit in digits:
            await self._input.push_frame(InputDTMFFrame(button=KeypadEntry(digit)))

    async def _interrupt(self, cause: InterruptionCause) -> None:
        self._observer.next_cause = cause
        await self._queue_frame(InterruptionFrame())

    async def _transfer_if_possible(self, order: TransferOrder) -> None:
        with contextlib.suppress(CallControlError):  # the log has it, and the call goes on
            await self.transfer(order, "command")

    async def _tune(self, settings: Mapping[str, float]) -> None:
        """Change detector and turn settings, checked ones."""
        old, params = self._tuning.apply(settings)
        if params is not None:
            await self._queue_frame(VADParamsUpdateFrame(params=params))
        session = self._session
        session.log.append(events.SettingsChanged(at=session.now(), old=old, new=dict(settings)))

    async def _nothing_switched(self, wanted: object) -> None:
        name = wanted if isinstance(wanted, str) else getattr(wanted, "name", wanted)
        self._session.notice(
            f"switch_service({name!r}): a replacement stands in its switcher's place, so nothing "
            "was switched"
        )
