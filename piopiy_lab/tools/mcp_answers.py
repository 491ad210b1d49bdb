"""What an MCP server answers: a tool's result, and what an error of its connection means. Pure."""

from __future__ import annotations

import json
from typing import Any

from piopiy_lab.checks.texts import text_of
from piopiy_lab.redaction import told
from piopiy_lab.tools.json_form import json_form

#: Characters of a server's error that the language model is told.
LONGEST_ERROR = 2000


def content(answer: object) -> Any:
    """Return a result's text; where it has none, its structured value; else what kinds it has."""
    parts = list(getattr(answer, "content", None) or ())
    texts = [part.text for part in parts if getattr(part, "type", None) == "text" and part.text]
    if texts:
        return _value("".join(texts))
    structured = getattr(answer, "structured_content", None)
    if structured is not None:
        return structured
    kinds = ", ".join(str(getattr(part, "type", "?")) for part in parts)
    return {"unreadable": kinds} if kinds else None


def _value(text: str) -> object:
    """Return the JSON object or list that a text is; the text itself otherwise."""
    if text[:1] in "{[":
        try:
            return json_form(json.loads(text))
        except (ValueError, RecursionError):  # NaN, say, which Python's reader takes
            return text
    return text


def is_lost(error: BaseException) -> bool:
    """Whether an error of a call says that the connection is gone."""
    import anyio
    from mcp.shared.exceptions import MCPError
    from mcp.types import CONNECTION_CLOSED

    if isinstance(error, BaseExceptionGroup):  # of a transport's own tasks
        return any(map(is_lost, error.exceptions))
    if isinstance(error, MCPError):
        return error.error.code == CONNECTION_CLOSED
    return isinstance(
        error, anyio.ClosedResourceError | anyio.BrokenResourceError | anyio.EndOfStream
    )


def detail(error: BaseException) -> str:
    """Return what an error says, of a group of one that one's."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    text = told(text_of(error).strip(), LONGEST_ERROR)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
