"""Values that are known to be secrets, whatever they look like: the agent's own token, say.

The newest ones of the process are kept. Safe from any thread: the tuple is replaced, never changed.
"""

from __future__ import annotations

import json
import threading
from urllib.parse import quote

#: The least characters of a value that is looked for: a shorter one is part of any text.
LEAST = 6
#: So many values are kept, the newest ones.
MOST = 64

_lock = threading.Lock()  # guards _known and forms
_known: dict[str, None] = {}
#: Each known value as it stands in texts, in JSON and in addresses; written under _lock.
forms: tuple[str, ...] = ()


def keep_secret(value: str) -> None:
    """Have a value removed from every text that is written or shown from now on."""
    global forms
    value = value.strip()
    if len(value) < LEAST:
        return
    with _lock:
        _known.pop(value, None)
        _known[value] = None
        while len(_known) > MOST:
            del _known[next(iter(_known))]
        found = {form for one in _known for form in (one, json.dumps(one)[1:-1], quote(one))}
        forms = tuple(sorted(found, key=lambda form: (-len(form), form)))
