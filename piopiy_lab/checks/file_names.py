"""Names of files that are made from other names: a test's id, a caller's name."""

from __future__ import annotations

import hashlib
import re

#: Characters of such a name, and its bytes: file systems take 255. Longer ones end in a hash.
LONGEST_NAME, _LONGEST_BYTES = 100, 200


def file_name(text: str) -> str:
    """Return a name, like a test's id, as the name of a file; other names have other ones.

    Letters, digits, ".", "_" and "-" stay; what had to be changed ends in a hash of the whole.
    """
    name = text.replace("::", ".").replace("/", ".").replace("[", "-").rstrip("]")
    safe = re.sub(r"[^\w.-]+", "-", name).strip(".-")
    if safe == name and len(safe) <= LONGEST_NAME and len(safe.encode()) <= _LONGEST_BYTES:
        return safe
    mark = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:6]
    short = safe[: LONGEST_NAME - 7].encode()[: _LONGEST_BYTES - 7].decode(errors="ignore")
    return f"{short}-{mark}"
