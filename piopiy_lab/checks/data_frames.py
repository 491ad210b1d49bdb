"""Tables for pandas, which is an extra: imported when somebody asks for one."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from piopiy_lab.errors import MissingExtraError

if TYPE_CHECKING:
    from pandas import DataFrame

#: A column's kind by the type of what is in it: those that can have gaps, where there may be some.
_KINDS: Mapping[object, str] = {float: "float64", int: "Int64", bool: "boolean", str: "string"}
ANYTHING = "object"


def data_frame(rows: Iterable[Mapping[str, object]], columns: Mapping[str, str]) -> DataFrame:
    """Return rows as a ``pandas.DataFrame``; without any its columns are there all the same.

    Args:
        rows: Column names to values; what a row has none of is missing in it.
        columns: The columns in order, and pandas' name for what they hold. A column of which a
            value is something else stays as it is.

    Raises:
        MissingExtraError: pandas isn't installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError("to_pandas()", "pandas", detail=str(error)) from error
    frame = pandas.DataFrame([dict(row) for row in rows], columns=list(columns), dtype=object)
    return frame.astype(dict(columns), errors="ignore")


def kind_of(hint: object) -> str:
    """Return the kind of a column for what a type hint allows, None being a gap."""
    allowed = typing.get_args(hint) if _is_union(hint) else (hint,)
    kinds = {_of_one(one) for one in allowed if one is not type(None)}
    return kinds.pop() if len(kinds) == 1 else ANYTHING


def _is_union(hint: object) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _of_one(hint: object) -> str:
    if typing.get_origin(hint) is typing.Literal:
        hint = type(typing.get_args(hint)[0])
    return _KINDS.get(hint, ANYTHING)
