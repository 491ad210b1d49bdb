"""What an agent on the phone reads of another package's messages."""

from __future__ import annotations

import pytest

pytest.importorskip("socketio")

from engineio import AsyncClient

from piopiy_lab.errors import IncompatibleVersionError
from piopiy_lab.telephony import seams


def test_another_text_for_a_status_is_said(monkeypatch):
    seams.check_messages()

    async def worded_otherwise(self, url, headers, engineio_path):
        raise ConnectionError("HTTP 401")

    worded_otherwise.__module__ = AsyncClient.__module__
    monkeypatch.setattr(AsyncClient, "_connect_polling", worded_otherwise)
    with pytest.raises(
        IncompatibleVersionError,
        match=r"engineio \S+'s .* no longer says 'Unexpected status code .*; use python-engineio<",
    ):
        seams.check_messages()


@pytest.mark.parametrize(
    ("status", "refused"), [(401, True), (403, True), (404, False), (500, False)]
)
def test_only_a_server_that_wants_another_token_refuses(status, refused):
    assert seams.is_refusal(f"Unexpected status code {status} in server response") is refused
