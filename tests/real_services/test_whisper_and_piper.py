"""Whisper and Piper themselves, from a folder of weights, in a simulated call."""

from __future__ import annotations

import asyncio
import socket

import pytest
from real_desk import SAID, booking, desk_on, heard

from piopiy_lab import simulate

#: Models on a busy machine take their time.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def no_network(monkeypatch):
    """A connection to anywhere, and a look for a name, fail the test."""

    def refuse(*where, **_):
        raise AssertionError(f"the network was asked for {where}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_a_neural_voice_books_a_table_with_whisper_and_piper(models, joe, no_network):
    call = asyncio.run(simulate(desk_on(models), booking(joe.says)))
    call.raise_for_error()
    assert heard(call) == list(SAID)
    assert call.transcript[-1].text.startswith("Your table is booked. The reference is")
