"""``VoiceAgent``: Piopiy's API for an agent that listens, thinks and speaks.

The signatures are the API reference's. Parameters of ours come after them, are keyword-only,
default to None and change nothing when unset. Where the reference SDK misbehaves, the docstring
says what is done here instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pipecat.observers.base_observer import BaseObserver
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.turns.user_mute import BaseUserMuteStrategy
from pipecat.turns.user_start import BaseUserTurnStartStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab.checks.arguments import check_secs, check_text
from piopiy_lab.errors import (
    ArgumentError,
    ServiceError,
)
from piopiy_lab.events.values import HoldManner
from piopiy_lab.interruptions import BaseInterruptionStrategy
from piopiy_lab.listening.lexicon import Lexicon
from piopiy_lab.listening.turn_taking import load_models
from piopiy_lab.pipeline.chain import ContextAggregators
from piopiy_lab.pipeline.in_call import InCall
from piopiy_lab.pipeline.parts import Parts, check_unused, mark_used
from piopiy_lab.pipeline.reading import read_parts
from piopiy_lab.pipeline.run import AgentRun
from piopiy_lab.pipeline.service_switcher import AnySwitcher
from piopiy_lab.session.session import Session, current_session
from piopiy_lab.tools import Handler, Tool, ToolBox, ToolOptions
from piopiy_lab.tools.mcp import MCPConnections
from piopiy_lab.tools.mcp_stderr import redirect_stderr


class VoiceAgent(InCall):
    """Builds and runs the STT -> LLM -> TTS pipeline of one call.

    It takes its transport from the session it is started in: the phone, a microphone, or a
    scripted caller.
    """

    def __init__(
        self,
        *,
        instructions: str,
        tools: object = None,
        greeting: str | None = None,
        idle_timeout_secs: int = 60,
    ) -> None:
        """Describe the agent.

        Args:
            instructions: What the LLM is told to be and do.
            tools: The tools that it may call: a list of FunctionSchemas (each with a handler, or
                given one by :meth:`register_tool`), typed functions with docstrings, dicts in
                OpenAI's form, or a ToolsSchema.
            greeting: Spoken once the caller is there, and part of the LLM's context.
            idle_timeout_secs: Seconds without speech from either side after which the call ends
                with the reason "idle_timeout". The caller's speech counts too. 0: never.

        Raises:
            ArgumentTypeError: An argument has the wrong type.
            ArgumentError: The idle time is negative, two tools have one name, or a tool's schema
                and handler disagree.
        """
        check_text("instructions", instructions)
        if greeting is not None:
            check_text("greeting", greeting)
        check_secs(
            "idle_timeout_secs",
            idle_timeout_secs,
            zero=True,
            endless=True,
            wanted="seconds, or 0 for never",
        )
        self._instructions = instructions
        self.greeting = greeting
        self.idle_timeout_secs = idle_timeout_secs
        #: What callers hear of a transfer, in place of our English: texts for "started", for the
        #: platform's reasons ("busy", "no_answer", ...), and "failed" for all others; "": nothing.
        self.transfer_lines: Mapping[str, str] = {}
        self._tools = ToolBox(tools)
        self._parts: Parts | None = None  # written by Action()
        self._mcp = MCPConnections(None)  # written by Action()
        redirect_stderr()  # for a client that the session connects itself
        self._run: AgentRun | None = None  # the running pipeline; written by start()
        self._aggregators: ContextAggregators | None = None  # the last run's; written by start()

    @property
    def instructions(self) -> str:
        """What the LLM is told; a new text acts from the next turn on. Thread-safe."""
        return self._instructions

    @instructions.setter
    def instructions(self, instructions: str) -> None:
        check_text("instructions", instructions)
        old, self._instructions = self._instructions, instructions
        if self._run is not None:
            self._run.changes.replace_instructions(old, instructions)

    @property
    def context_aggregator(self) -> ContextAggregators | None:
        """Both sides of the running call's context, and of the last one's; None before that.

        ``context_aggregator.user().context.get_messages()`` is the conversation as the LLM knows
        it, when :meth:`start` has returned too. Change it on the session's loop only.
        """
        return self._aggregators

    async def Action(  # noqa: N802 - the API reference's name
        self,
        *,
        stt: FrameProcessor | None = None,
        llm: FrameProcessor | None = None,
        tts: FrameProcessor | None = None,
        tts_switcher: AnySwitcher | None = None,
        stt_switcher: AnySwitcher | None = None,
        mcp_tools: object = None,
        vad: object = None,
        enable_metrics: bool = True,
        enable_usage_metrics: bool = True,
        allow_interruptions: bool = True,
        interruption_strategy: BaseInterruptionStrategy | BaseUserTurnStartStrategy | None = None,
        telecmi_params: object = None,
        turn_strategies: UserTurnStrategies | None = None,
        observers: Iterable[BaseObserver] | None = None,
        llm_switcher: AnySwitcher | None = None,
        mute_strategies: Iterable[BaseUserMuteStrategy] | None = None,
        hold_backchannels: bool | None = None,
        hold: HoldManner | None = None,
        lexicon: str | Lexicon | Sequence[str] | None = None,
        aside_db: float | None = None,
        speculate: Literal["llm", "sound"] | None = None,
    ) -> None:
        """Say what the pipeline is made of. Everything wrong that can be known is raised here.

        With ``stt``, ``llm`` and ``tts`` the pipeline is cascaded. A realtime llm (OpenAI
        Realtime, Gemini Live, ...) hears the caller itself: ``llm`` and ``tts`` are hybrid, the
        llm alone is speech-to-speech. It is run when the call starts: a greeting is a request in
        its context, so its wording is the model's; without one it opens as its instructions say.

        Args:
            stt: Speech recognition; left out where a realtime llm hears.
            llm: The language model's service. Required.
            tts: Speech synthesis; left out, together with ``stt``, where a realtime llm speaks.
            tts_switcher: A ``ServiceSwitcher`` of several, in place of ``tts``.
            stt_switcher: The same for ``stt``.
            mcp_tools: Tools of MCP servers, beside the agent's own: pipecat's ``MCPClient``, a list
                of them, or the schema that ``await client.tools()`` gave. They are connected
                here, and closed when the call is over.
            vad: Voice activity detection: True (Silero), a dict of ``confidence``,
                ``start_secs``, ``stop_secs``, ``min_volume``, an analyzer or processor of
                pipecat's, or False (off: transcripts decide when a turn ends). None means
                off too, except that an offline stand-in, which needs a detector, brings its own.
            enable_metrics: Let the services report their latencies.
            enable_usage_metrics: Let them report tokens and characters.
            allow_interruptions: Whether the caller's speech stops the agent's.
            interruption_strategy: What interrupts, in place of any speech: ours, like
                ``MinWordsInterruptionStrategy(min_words=3)``, or one of pipecat's turn start
                strategies.
            telecmi_params: Of its fields the rates, a ``vad_analyzer`` and a ``turn_analyzer``
                apply everywhere; the room's own are ignored off the phone, with one notice in the
                log.
            turn_strategies: pipecat's ``UserTurnStrategies``, in place of ours.
            observers: More pipecat observers.
            mute_strategies: When the caller isn't heard: pipecat's user mute strategies.
            llm_switcher: The same as ``tts_switcher`` for ``llm``; tools are the same for all.
            hold_backchannels: Whether a voice over the agent's first holds its sound, which goes on
                after an "mm hmm" or a cough (docs/turn_taking.md). None: in a cascaded call, unless
                a strategy of yours says what interrupts.
            hold: How: "pause", "duck" (20 dB lower), or "duck_then_pause" (the default: silent when
                the voice goes on). Given, it is on.
            lexicon: Whose words a listener says: a language ("en", "hi", "ta", "es", "de"), a list
                of them, or a ``Lexicon``; None: the recogniser's language, or English.
            aside_db: By how many dB a voice lower than the caller's own is to somebody else, and
                left alone (docs/turn_taking.md). None: it interrupts.
            speculate: "llm" asks the LLM at a likely end of a turn; nothing of its answer is heard
                and no tool runs until the turn is over. "sound" has the voice speak it, too. For a
                longer stop window at the latency of a short one: ``vad={"stop_secs": 0.5}``
                (docs/turn_taking.md).

        Raises:
            ArgumentTypeError: ``llm`` is missing, or something has the wrong type.
            ArgumentError: A part is missing; a setting is unknown or out of range; a service
                needs what it isn't given.
            ServiceError: A service was used in an earlier call and can't be used again, or is
                bound to another event loop; an MCP server can't be reached.
        """
        session = current_session()
        if session is not None and not session.settings.virtual and vad is not False:
            await asyncio.to_thread(load_models)
        parts = read_parts(
            chosen={"stt": stt, "llm": llm, "tts": tts},
            switchers={"stt": stt_switcher, "llm": llm_switcher, "tts": tts_switcher},
            replace={} if session is None else session.settings.replace,
            vad=vad,
            enable_metrics=enable_metrics,
            enable_usage_metrics=enable_usage_metrics,
            allow_interruptions=allow_interruptions,
            interruption_strategy=interruption_strategy,
            telecmi_params=telecmi_params,
            turn_strategies=turn_strategies,
            observers=observers,
            mute_strategies=mute_strategies,
            hold_backchannels=hold_backchannels,
            hold=hold,
            lexicon=lexicon,
            aside_db=aside_db,
            speculate=speculate,
        )
        await self._open_mcp(mcp_tools, session)
        self._parts = parts

    async def configure(self, **parts: Any) -> None:
        """Do what :meth:`Action` does: its name in the SDK's coming version."""
        await self.Action(**parts)

    async def start(self) -> None:
        """Run the pipeline until the call ends or is cancelled.

        With nobody running the session (no ``start_call``, ``simulate`` or ``Agent``) it talks on
        this computer's microphone and speaker, on the caller's own loop, until the call ends;
        Ctrl-C or interrupting the cell hangs up.

        An agent can be started again for another call after ``Action`` with fresh services.

        Raises:
            ArgumentError: There was no ``Action``, or a tool has no handler.
            ServiceError: A service was used in an earlier call and can't be used again; the
                agent is running already.
            AudioDeviceError: Nobody runs the session, and there is no microphone or no speaker.
        """
        if self._parts is None:
            raise ArgumentError(
                "start() before Action(...): give the agent its services first, "
                "await voice_agent.Action(stt=..., llm=..., tts=...)"
            )
        if self._run is not None:
            raise ServiceError(
                "this VoiceAgent is running in another call: make one VoiceAgent for each call, "
                "inside create_session"
            )
        parts, tools = self._parts, self._tools.ready()
        for part in parts.usable_once:
            check_unused(part)
        session = current_session()
        if session is None:
            from piopiy_lab.hosting.alone import run_alone

            await run_alone(self.start)
            return
        if self._mcp.close not in session.closers:  # Action() ran outside of the session
            session.closers.append(self._mcp.close)
        mark_used(parts.usable_once)
        self._run = AgentRun(self, session, parts, tools, self._tools.offered())
        self._aggregators = self._run.context_aggregators
        try:
            await self._run.run()
        finally:
            self._run = None

    async def _open_mcp(self, mcp_tools: object, session: Session | None) -> None:
        """Connect to MCP servers; they are closed when the call is over, started or not."""
        await self._mcp.close()
        self._mcp = MCPConnections(session)
        if session is not None:
            session.closers.append(self._mcp.close)
        try:
            self._tools.set_outside(await self._mcp.open(mcp_tools))
        except BaseException:
            await self._mcp.close()
            raise

    def add_tool(
        self,
        schema: object,
        handler: Handler | None = None,
        *,
        timeout_secs: float | None = None,
        cancel_on_interruption: bool | None = None,
        filler: str | None = None,
        filler_after_secs: float | None = None,
    ) -> None:
        """Offer a tool; while a call runs it acts from the next turn. Thread-safe.

        Args:
            schema: A FunctionSchema, a dict in OpenAI's form, or a function with type hints and a
                docstring, which is its own handler.
            handler: A function that takes ``params`` or the tool's arguments, and returns the
                result (see ``tools``).
            timeout_secs: As in :func:`piopiy_lab.tools.tool_options`.
            cancel_on_interruption: As there.
            filler: As there.
            filler_after_secs: As there.

        Raises:
            ArgumentTypeError: It is no tool, or the handler is no function.
            ArgumentError: There is no handler, schema and handler disagree about the arguments,
                or an MCP server of this agent has a tool of that name.
        """
        options = ToolOptions(
            timeout_secs=timeout_secs,
            cancel_on_interruption=cancel_on_interruption,
            filler=filler,
            filler_after_secs=filler_after_secs,
        )
        self._offer(self._tools.add(schema, handler, options))

    def register_tool(
        self,
        name: str,
        handler: Handler,
        *,
        timeout_secs: float | None = None,
        cancel_on_interruption: bool | None = None,
        filler: str | None = None,
        filler_after_secs: float | None = None,
    ) -> None:
        """Give the handler of a tool whose schema was given to the constructor. Thread-safe.

        The options are those of :meth:`add_tool`, and so is what is raised.
        """
        options = ToolOptions(
            timeout_secs=timeout_secs,
            cancel_on_interruption=cancel_on_interruption,
            filler=filler,
            filler_after_secs=filler_after_secs,
        )
        self._offer(self._tools.register(name, handler, options))

    def _offer(self, tool: Tool | None) -> None:
        if self._run is not None and tool is not None:
            self._run.changes.offer(tool, self._tools.offered())

    def __repr__(self) -> str:
        start = (
            self._instructions if len(self._instructions) < 40 else self._instructions[:37] + "…"
        )
        return f"VoiceAgent(instructions={start!r})"


__all__ = ["Parts", "Session", "VoiceAgent"]
