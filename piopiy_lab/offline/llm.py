"""An LLM service that follows rules, so that a whole voice agent runs with no model and no network.

`RuleLLMService` stands where OpenAI's or another service would stand in the pipeline. What it
says is decided by a `RuleBook` (`piopiy_lab.offline.rules`); this module reads the conversation
out of pipecat's context, streams the answer, and calls tools through pipecat's own machinery.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    Frame,
    FunctionCallFromLLM,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
)
from pipecat.metrics.metrics import LLMTokenUsage
from pipecat.processors.aggregators.llm_context import LLMContext, LLMSpecificMessage
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings

from piopiy_lab.checks.arguments import check_secs
from piopiy_lab.errors import ArgumentError
from piopiy_lab.offline.history import history_of
from piopiy_lab.offline.replies import Answer, Heard, Said
from piopiy_lab.offline.rules import RuleBook
from piopiy_lab.offline.seams import ServesAgain
from piopiy_lab.offline.wording import number_from_words

_TOKEN = re.compile(r"\s*\S+")


class RuleLLMService(ServesAgain, LLMService):
    """Answers by rules: this is NO language model.

    It knows the phrases of its `RuleBook` and nothing else, and instructions (system and developer
    messages) have no effect on it.

    In the pipeline it behaves as a language model service does. For each `LLMContextFrame` it
    pushes `LLMFullResponseStartFrame`, the answer in `LLMTextFrame` tokens (one word each) and
    `LLMFullResponseEndFrame`; an interruption stops the stream where it is. It calls tools with
    pipecat's `run_function_calls`, and speaks their results when the context comes back with them.
    It reports time to first byte, processing time and token usage, where a "token" is a word.

    The service keeps no conversation: each answer is worked out from the context alone. One
    instance can serve several calls, one after the other; not two at once. Every method runs on
    the session's loop.

    Args:
        rules: What is answered to what.
        tools: Tools of the rules' own, each a `FunctionSchema` with a handler. They are used when
            nobody has registered a function of that name for the call.
        first_token_delay: Seconds before the first token, to model a real service. Default 0.
        token_delay: Seconds before each further token. Default 0.
        settings: Accepted as by every service, and without effect on what is said.
        **kwargs: For `LLMService` (``function_call_timeout_secs``, ...).

    Raises:
        ArgumentError: A delay is negative, or a tool has no handler.
    """

    Settings = LLMSettings
    KEPT = ("_functions", "_base_system_instruction", "_appended_system_instructions")

    def __init__(
        self,
        rules: RuleBook,
        *,
        tools: Sequence[FunctionSchema] = (),
        first_token_delay: float = 0.0,
        token_delay: float = 0.0,
        settings: LLMSettings | None = None,
        **kwargs: Any,
    ) -> None:
        for name, seconds in (
            ("first_token_delay", first_token_delay),
            ("token_delay", token_delay),
        ):
            check_secs(name, seconds, zero=True)
        for tool in tools:
            if tool.handler is None:
                raise ArgumentError(
                    f"the tool {tool.name!r} has no handler: give FunctionSchema(handler=...)"
                )
        complete = LLMSettings(
            model="rules",
            system_instruction=None,
            temperature=None,
            max_tokens=None,
            top_p=None,
            top_k=None,
            frequency_penalty=None,
            presence_penalty=None,
            seed=None,
            filter_incomplete_user_turns=False,
            user_turn_completion_config=None,
            use_provider_thinking_default=False,
        )
        if settings is not None:
            complete.apply_update(settings)
        self._arguments = kwargs
        super().__init__(settings=complete, **kwargs)
        # What to answer; never changes. Read on the session's loop.
        self.rules = rules
        # The rules' own tools by name; never changes.
        self._own_tools = {tool.name: tool for tool in tools}
        self._first_token_delay = first_token_delay
        self._token_delay = token_delay

    @property
    def own_tools(self) -> tuple[str, ...]:
        """The names of the rules' own tools."""
        return tuple(self._own_tools)

    def can_generate_metrics(self) -> bool:
        """Return True: TTFB, processing time and usage are reported."""
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer an `LLMContextFrame`; pass every other frame on."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        try:
            await self.push_frame(LLMFullResponseStartFrame())
            await self.start_processing_metrics()
            await self._process_context(frame.context)
        except Exception as error:
            await self.push_error(error_msg=f"Error in a reply: {error}", exception=error)
        finally:
            # Also when an interruption cancels the stream: what was begun is ended.
            await self.stop_processing_metrics()
            await self.push_frame(LLMFullResponseEndFrame())

    async def _process_context(self, context: LLMContext) -> None:
        await self.start_ttfb_metrics()
        history = list(history_of(context))
        answer = self.rules.answer(history)
        if answer.text or answer.calls:
            await asyncio.sleep(self._first_token_delay)
            await self.stop_ttfb_metrics()
        said = 0
        try:
            if answer.text and self._filter_incomplete_user_turns:
                # The turn strategy wants a verdict first. To rules every turn is complete.
                await self._push_llm_text(f"{self._user_turn_completion_config.complete_marker} ")
            for token in _TOKEN.findall(answer.text):
                # Yields even without a delay: an interruption finds the stream here.
                await asyncio.sleep(self._token_delay if said else 0)
                await self._push_llm_text(token)
                said += 1
        finally:
            await self._report_usage(history, said)
        await self._call_tools(context, answer)

    async def _report_usage(self, history: Sequence[object], completion: int) -> None:
        prompt = sum(len(i.text.split()) for i in history if isinstance(i, (Heard, Said)))
        await self.start_llm_usage_metrics(
            LLMTokenUsage(
                prompt_tokens=prompt,
                completion_tokens=completion,
                total_tokens=prompt + completion,
            )
        )

    async def _call_tools(self, context: LLMContext, answer: Answer) -> None:
        taken = _tool_call_ids(context)
        calls = []
        for call in answer.calls:
            number = len(taken) + 1
            while f"call_{number}" in taken:
                number += 1
            taken.add(f"call_{number}")
            own = self._own_tools.get(call.tool)
            if own is not None and own.handler is not None and not self.has_function(call.tool):
                self.register_function(call.tool, own.handler)
                # Gives way, at the next context, to a handler that comes with the context's tools.
                self._functions[call.tool].auto_registered = True
            schema = _schema_of(context, call.tool) or own
            calls.append(
                FunctionCallFromLLM(
                    context=context,
                    tool_call_id=f"call_{number}",
                    function_name=call.tool,
                    arguments=typed_arguments(call.arguments, schema),
                )
            )
        await self.run_function_calls(calls)


def _tool_call_ids(context: LLMContext) -> set[str]:
    messages = [m for m in context.get_messages() if not isinstance(m, LLMSpecificMessage)]
    return {str(call["id"]) for m in messages for call in m.get("tool_calls") or ()}


def _schema_of(context: LLMContext, tool: str) -> FunctionSchema | None:
    tools = context.tools
    if not isinstance(tools, ToolsSchema):
        return None
    return next((t for t in tools.standard_tools if t.name == tool), None)


def typed_arguments(arguments: Mapping[str, Any], schema: FunctionSchema | None) -> dict[str, Any]:
    """Convert words to the types that a tool's schema wants, as a language model would.

    Args:
        arguments: Argument values; texts come from slots.
        schema: The tool's schema, or None to convert nothing.

    Returns:
        The arguments: "two" or "2" as 2 for "integer" and "number", "yes" and "no" as booleans
        for "boolean". What can't be converted stays as it is.
    """
    properties = schema.properties if schema else {}
    return {name: _typed(v, properties.get(name) or {}) for name, v in arguments.items()}


def _typed(value: object, wanted: Mapping[str, Any]) -> Any:
    if not isinstance(value, str):
        return value
    kind = wanted.get("type")
    if kind in ("integer", "number"):
        number = number_from_words(value)
        return value if number is None or (kind == "integer" and number != int(number)) else number
    if kind == "boolean":
        return {"yes": True, "true": True, "no": False, "false": False}.get(value.lower(), value)
    return value
