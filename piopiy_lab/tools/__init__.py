"""Tools: what a VoiceAgent offers to its LLM, and how a handler's answer gets back.

A tool may be given as a ``FunctionSchema`` with a handler, as a dict in OpenAI's form, as a plain
typed function with a docstring, or from an MCP server; see ``docs/tools.md``.

A handler takes ``params`` (pipecat's ``FunctionCallParams``; ``params.args`` is an alias of
``params.arguments``), or the tool's arguments by name. What it *returns* is the result. (In the
reference and in pipecat the returned value is dropped.) An exception becomes an error result that
the LLM sees, and an event.
"""

from __future__ import annotations

from piopiy_lab.tools.box import Tool, ToolBox
from piopiy_lab.tools.calling import ToolFailure, answering, register_with
from piopiy_lab.tools.functions import schema_of
from piopiy_lab.tools.options import DEFAULT_TIMEOUT_SECS, ToolOptions, tool_options
from piopiy_lab.tools.params import ToolCallParams, ToolHost
from piopiy_lab.tools.ready_made import end_call, transfer_call, transfer_call_to
from piopiy_lab.tools.recorded import RecordedTools, ToolMiss
from piopiy_lab.tools.seams import keep_arguments
from piopiy_lab.tools.signatures import Handler

__all__ = [
    "DEFAULT_TIMEOUT_SECS",
    "Handler",
    "RecordedTools",
    "Tool",
    "ToolBox",
    "ToolCallParams",
    "ToolFailure",
    "ToolHost",
    "ToolMiss",
    "ToolOptions",
    "answering",
    "end_call",
    "keep_arguments",
    "register_with",
    "schema_of",
    "tool_options",
    "transfer_call",
    "transfer_call_to",
]
