"""Whisper and Piper themselves, from a folder of weights, in a simulated call."""

from __future__ import annotations

import asyncio
import socket

import numpy as np
import pytest
from real_desk import SAID, booking, desk_on, heard

from piopiy_lab import Caller, events, simulate

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


def test_a_call_with_them_is_the_same_to_the_last_sample(models, joe):
    caller = Caller().hears_greeting().says(joe.says(SAID[0])).hears_reply()
    first, again = (asyncio.run(simulate(desk_on(models), caller)) for _ in range(2))
    assert [e.to_json() for e in first.events] == [e.to_json() for e in again.events]
    for side in ("caller", "agent"):
        assert np.array_equal(getattr(first.recording, side), getattr(again.recording, side))
    told = {event.service: event.charged for event in first.events.of(events.ComputedOutside)}
    assert told == {"PiperTTSService": False, "WhisperSTTService": False}
    assert "computing time left out, 0 ms" in first.turns.note
    assert first.meta["computing"]["WhisperSTTService"]["secs"] > 0.1
