"""The one type of what JSON's objects are read as, before anybody has looked at what is in them."""

from __future__ import annotations

from typing import Any

#: A JSON object: names to whatever it holds.
Record = dict[str, Any]
