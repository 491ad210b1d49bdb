"""Gives pages the calls of a table that they show, one by one: a notebook holds but a few of many.

It has no view. A page that knows of the widget listens for its tables' ``piopiy-call-wanted``, and
asks here; so nothing of it is in the saved notebook.
"""

from __future__ import annotations

import weakref
from typing import Any

import anywidget

from piopiy_lab.checks.texts import described
from piopiy_lab.display import CallPages
from piopiy_lab.redaction import made_valid, redact_text
from piopiy_lab.widgets.assets import static


class CallFetcher(anywidget.AnyWidget):
    """The one of a kernel. Made on its main thread; messages come on whichever it chooses."""

    _esm = static("fetching.js")

    def __init__(self) -> None:
        """Know of no calls yet."""
        super().__init__()
        #: Who has a table's calls, by its name; written by offer().
        self._pages: weakref.WeakValueDictionary[str, CallPages] = weakref.WeakValueDictionary()
        self.on_msg(self._on_message)

    def offer(self, batch: str, pages: CallPages) -> None:
        """Give the calls of a table to whoever asks, as long as somebody else has them."""
        self._pages[batch] = pages

    def _on_message(self, _: Any, content: Any, buffers: list[Any]) -> None:
        if not isinstance(content, dict) or content.get("kind") != "call":
            return
        answer = {"kind": "call", "id": content.get("id")}
        pages, index = self._pages.get(str(content.get("batch"))), content.get("index")
        if pages is None or type(index) is not int:
            answer["refused"] = "The kernel has these calls no more: run the cell again."
        else:
            try:
                answer["html"] = pages.call_html(index)
            except Exception as error:  # said where the call would be
                answer["refused"] = redact_text(described(error))
        self.send(made_valid(answer))

    def __repr__(self) -> str:
        return "<CallFetcher>"
