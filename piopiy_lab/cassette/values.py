"""Frames and other values of pipecat's as JSON, and back: what a cassette's lines hold of them.

Only frames of ``pipecat.frames.frames`` are made from a line, and only of plain values. What is
made anew at every play (ids, times of day) is left out, and so is what a provider sent raw.

Pure but for the sound, which is read and written by functions that are given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import ModuleType
from typing import Any, TypeVar

from pipecat.frames import frames as f
from pipecat.frames.frames import FunctionCallFromLLM
from pipecat.metrics import metrics as m
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.transcriptions.language import Language
from pipecat.utils.errors import ErrorCategory
from pipecat.utils.time import time_now_iso8601

from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import CassetteError
from piopiy_lab.redaction import redact, redact_text
from piopiy_lab.services.error_texts import readable
from piopiy_lab.services.frame_values import plain

#: Fields that are made anew, or that are the provider's own.
_LEFT_OUT = {
    "id", "name", "pts", "metadata", "broadcast_sibling_id", "transport_source", "processor",
    "transport_destination", "timestamp", "context_id", "group_id",
}  # fmt: skip
T = TypeVar("T")

#: Fields that are set on a text when it is made, and can't be given.
_SET_LATER = ("append_to_context", "includes_inter_frame_spaces")
#: What is kept of a recogniser's result, where it is a mapping: the offline one's.
_OF_RESULT = ("score", "nearest", "piopiy_lab_notice")


class RecordedError(Exception):
    """A provider's failure, as it was recorded."""


@dataclass(frozen=True)
class Packing:
    """What values are packed with.

    Attributes:
        sound: Keeps samples; returns where.
        began: The pipeline's seconds that word times are counted from.
        context_id: The audio context that is spoken in.
        secrets: What the service knows and nobody else is to.
        timed: Whether the times at which frames are due are kept, and what is set on texts.
    """

    sound: Callable[[bytes], list[int]]
    began: float = 0.0
    context_id: str | None = None
    secrets: tuple[str, ...] = ()
    timed: bool = False

    def pack(self, value: object) -> Any:
        """Return a value as JSON holds it."""
        if isinstance(value, f.Frame):
            return self._frame(value)
        if isinstance(value, str) and value == self.context_id:
            return {"context_id": True}
        if isinstance(value, list | tuple):
            return [self.pack(one) for one in value]
        if isinstance(value, FunctionCallFromLLM):
            return {
                "call": value.function_name,
                "id": value.tool_call_id,
                "arguments": redact(plain(value.arguments)),
            }
        if isinstance(value, m.LLMTokenUsage):
            return {"usage": value.model_dump(exclude_none=True)}
        if isinstance(value, ErrorCategory):
            return {"category": value.value}
        if isinstance(value, m.MetricsData):
            values = value.model_dump(exclude_none=True, exclude={"processor"})
            return {"metrics": type(value).__name__, "values": values}
        if isinstance(value, type) and issubclass(value, f.Frame):
            return {"frame_class": value.__name__}
        if isinstance(value, BaseException):
            return {"failure": type(value).__name__, "says": self.told(str(value))}
        return redact(plain(value))

    def _frame(self, frame: f.Frame) -> Record:
        packed: Record = {"frame": type(frame).__name__}
        for field in dataclasses.fields(frame):
            value = getattr(frame, field.name)
            if field.name in _LEFT_OUT or not field.init or _is_default(field, value):
                continue
            if field.name == "result":
                packed |= self._result(value)
            elif isinstance(value, bytes):
                packed["sound"] = self.sound(value)
            elif isinstance(frame, f.ErrorFrame) and isinstance(value, str):
                packed[field.name] = self.told(value)
            else:
                packed[field.name] = self.pack(value)
        if self.timed and isinstance(frame, f.TextFrame):
            packed["set"] = {name: getattr(frame, name) for name in _SET_LATER}
        if self.timed and frame.pts is not None:
            packed["due"] = round(frame.pts / 1e9 - self.began, 9)
        return packed

    def told(self, message: str) -> str:
        """Return a provider's message without keys, headers and ids."""
        return redact_text(readable(message, secrets=self.secrets))

    def _result(self, result: object) -> Record:
        if not isinstance(result, Mapping):
            return {}
        words = result.get("words")
        times = [
            [str(w[0]), float(w[1]) - self.began, float(w[2]) - self.began]
            for w in (words if isinstance(words, list | tuple) else ())
            if isinstance(w, list | tuple) and len(w) == 3
        ]
        kept = {name: plain(result[name]) for name in _OF_RESULT if name in result}
        return {"words": times, "heard": kept}


@dataclass(frozen=True)
class Unpacking:
    """What values are unpacked with.

    Attributes:
        sound: Returns the samples at a place.
        began: The pipeline's seconds that word times are counted from.
        context_id: The audio context that is spoken in.
        context: The conversation that function calls belong to.
        processor: The name of the service, for its metrics.
    """

    sound: Callable[[list[int]], bytes]
    began: float = 0.0
    context_id: str | None = None
    context: LLMContext | None = None
    processor: str = ""

    def unpack(self, value: Any) -> Any:
        """Return the value that a line holds."""
        if isinstance(value, list):
            return [self.unpack(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "frame" in value:
            return self._frame(dict(value))
        if value == {"context_id": True}:
            return self.context_id
        if "call" in value and "arguments" in value:
            return FunctionCallFromLLM(
                context=self.context,
                tool_call_id=value["id"],
                function_name=value["call"],
                arguments=value["arguments"],
            )
        if "usage" in value:
            return m.LLMTokenUsage(**value["usage"])
        if "category" in value:
            return ErrorCategory(value["category"])
        if "metrics" in value:
            made = _class_of(m, m.MetricsData, value["metrics"])
            return made(processor=self.processor, **value["values"])
        if "frame_class" in value:
            return _class_of(f, f.Frame, value["frame_class"])
        if "failure" in value and "says" in value:
            return type(value["failure"], (RecordedError,), {})(value["says"])
        return value

    def _frame(self, fields: Record) -> f.Frame:
        name = fields.pop("frame")
        made = _class_of(f, f.Frame, name)
        due, later = fields.pop("due", None), fields.pop("set", {})
        known = {field.name: field for field in dataclasses.fields(made) if field.init}
        given: Record = {}
        if "sound" in fields:
            given["audio"] = self.sound(fields.pop("sound"))
        if "words" in fields or "heard" in fields:
            words = [[w, self.began + s, self.began + e] for w, s, e in fields.pop("words", ())]
            given["result"] = {"words": words, **fields.pop("heard", {})}
        if "language" in fields:
            given["language"] = _language(fields.pop("language"))
        if "timestamp" in known:
            given["timestamp"] = time_now_iso8601()
        if "user_id" in known:
            given["user_id"] = ""
        given |= {key: self.unpack(value) for key, value in fields.items()}
        if "context_id" in known:
            given["context_id"] = self.context_id
        try:
            frame = made(**{key: value for key, value in given.items() if key in known})
        except (TypeError, ValueError) as error:
            raise CassetteError(
                f"the cassette's {name} can't be made with this version of pipecat ({error}): "
                "record it again with record_mode='all'"
            ) from error
        if isinstance(frame, f.TextFrame | f.TTSStartedFrame | f.TTSStoppedFrame | f.AudioRawFrame):
            frame.context_id = self.context_id  # type: ignore[union-attr]
        for field, value in later.items():
            if field in _SET_LATER:
                setattr(frame, field, value)
        if due is not None:
            frame.pts = round((self.began + due) * 1e9)
        return frame


def _class_of(module: ModuleType, base: type[T], name: object) -> type[T]:
    """Return a class of pipecat's by its name, and no other thing."""
    made = getattr(module, str(name), None)
    if isinstance(made, type) and issubclass(made, base):
        return made
    raise CassetteError(
        f"the cassette has a {base.__name__} {name!r}, which this version of pipecat doesn't: "
        "record it again with record_mode='all'"
    )


def _is_default(field: dataclasses.Field[Any], value: object) -> bool:
    if field.default is not dataclasses.MISSING:
        return value is field.default or (
            not isinstance(value, Enum | list | dict | bytes) and value == field.default
        )
    if field.default_factory is not dataclasses.MISSING:
        return value == field.default_factory()
    return False


def _language(name: object) -> Language | str:
    try:
        return Language(name)
    except ValueError:
        return str(name)
