"""What an agent on the phone reads of python-engineio's messages: checked when this is imported.

Missing: a class, or the status as a number, of the error for an answer that is none of its own.
Looks only; any thread.
"""

from __future__ import annotations

import re

from engineio import AsyncClient

from piopiy_lab.services.fitting import expect_text, method

_CONNECT = "_connect_polling"
_REFUSED = "an agent whose token is refused"
#: What Engine.IO's client says of an HTTP status that is no success, up to the status.
_STATUS = "Unexpected status code "

RELIED_ON = (method(AsyncClient, _CONNECT, "url", "headers", "engineio_path", needed_by=_REFUSED),)


def check_messages() -> None:
    """Check that a server that refuses an agent can be told from one that is not there.

    Raises:
        IncompatibleVersionError: python-engineio says it otherwise.
    """
    for reliance in RELIED_ON:
        reliance.check()
    expect_text(getattr(AsyncClient, _CONNECT), _STATUS, needed_by=_REFUSED)


check_messages()


def is_refusal(told: str) -> bool:
    """Whether an Engine.IO error's text is of a server that wants another token, or lets none in.

    Else the agent would try for ever to connect with a token that is wrong.
    """
    return re.search(f"{_STATUS}40[13]", told) is not None
