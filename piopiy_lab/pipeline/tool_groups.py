"""Several tools in one answer of the LLM: it is run once, after the last of their results.

pipecat wants that too, but counts only the calls that have begun when a result comes. A tool that
returns at once (or is unknown, or fails) comes before its neighbours have begun, and so does each
tool of a service that runs them one after the other: the LLM would be run for it alone, and again
for the others. Here every call that was announced counts.

Stands before the assistant's side of the context; runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pipecat.frames.frames import (
    Frame,
    FunctionCallCancelFrame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    FunctionCallResultProperties,
    FunctionCallsStartedFrame,
)
from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab.tools.calling import ToolValue
from piopiy_lab.tools.json_form import NoJsonForm, complaint, json_form, unreadable


@dataclass
class _Group:
    """The tool calls of one answer."""

    left: set[str]  # the ids of those that have no result yet
    together: bool = True  # False if the service was made to run the LLM for each result
    owed: bool = False  # one that has a result wants the LLM to be run


class ToolGroups:
    """Lets the context's assistant side run the LLM once for each group of tool calls."""

    def __init__(self, is_over: Callable[[], bool], notice: Callable[[str], None]) -> None:
        """Know of no tool call yet.

        Args:
            is_over: Whether the call is ending, so that the LLM has nothing more to say.
            notice: Writes something into the log.
        """
        self._is_over, self._notice = is_over, notice
        self._groups: dict[str, _Group] = {}  # by the ids of the calls that are left

    def watch(self, assistant: FrameProcessor) -> None:
        """Read, and where it is needed change, what comes to the context's assistant side."""

        async def before(_: FrameProcessor, frame: Frame) -> None:
            self.take(frame)

        assistant.add_event_handler("on_before_process_frame", before)

    def take(self, frame: Frame) -> None:
        """Take a frame before the context does."""
        match frame:
            case FunctionCallsStartedFrame():
                group = _Group({call.tool_call_id for call in frame.function_calls})
                self._groups.update(dict.fromkeys(group.left, group))
            case FunctionCallInProgressFrame():
                self._began(frame)
            case FunctionCallResultFrame():
                self._readable(frame)
                if frame.properties is None or frame.properties.is_final:
                    self._returned(frame)
            case FunctionCallCancelFrame():
                self._cancelled(frame)
            case _:
                pass

    def _began(self, frame: FunctionCallInProgressFrame) -> None:
        if (group := self._groups.get(frame.tool_call_id)) is not None:
            group.together = frame.group_id is not None
        if not isinstance(frame.arguments, Mapping):  # no provider takes anything else in a context
            given = {} if frame.arguments is None else {"arguments": frame.arguments}
            frame.arguments = given

    def _readable(self, frame: FunctionCallResultFrame) -> None:
        """Make JSON of the result of a tool that was registered with the service itself."""
        try:
            frame.result = json_form(frame.result)
        except NoJsonForm as why:
            self._notice(complaint(frame.function_name, frame.result, why))
            frame.result = {"error": unreadable(frame.function_name, frame.result)}

    def _returned(self, frame: FunctionCallResultFrame) -> None:
        group = self._settled(frame.tool_call_id)
        if group is None:
            return
        if group.left:
            group.owed = group.owed or _wants_run(frame)
            _set_run(frame, False)
        elif group.owed and not _wants_run(frame) and not self._is_over():
            frame.result = frame.result or ToolValue(frame.result)
            _set_run(frame, True)

    def _cancelled(self, frame: FunctionCallCancelFrame) -> None:
        """Take a call that is over without a result.

        The last one leaves what is owed to whoever cancelled it: an interruption brings a turn.
        """
        group = self._settled(frame.tool_call_id)
        if group is not None and group.left and frame.run_llm:
            group.owed, frame.run_llm = True, False

    def _settled(self, tool_call_id: str) -> _Group | None:
        """Note that a call is over; return its group if the LLM is run for all of it at once."""
        group = self._groups.pop(tool_call_id, None)
        if group is None or not group.together:
            return None
        group.left.discard(tool_call_id)
        return group


def _wants_run(frame: FunctionCallResultFrame) -> bool:
    """Whether pipecat would run the LLM for a result that is its group's last."""
    told = frame.properties.run_llm if frame.properties is not None else None
    told = frame.run_llm if told is None else told
    return bool(frame.result) and told is not False


def _set_run(frame: FunctionCallResultFrame, run_llm: bool) -> None:
    properties = frame.properties or FunctionCallResultProperties()
    frame.properties = replace(properties, run_llm=run_llm)
