"""pipecat's Deepgram, OpenAI and Cartesia services in whole calls, when all goes well."""

from __future__ import annotations

from cloud_desk import GREETING, SAYS, Desk, said_and_done

from piopiy_lab import events


def test_a_table_is_booked_through_three_providers():
    desk = Desk()
    call = desk.call().raise_for_error()
    assert call.end_reason == "caller_hung_up"
    assert call.transcript[0].text == GREETING
    assert [e.text for e in call.transcript if e.role == "user"] == list(SAYS)
    assert call.tool_calls[0].result["status"] == "booked"
    assert not [event for event in call.events if isinstance(event, events.ErrorOccurred)]
    assert desk.deepgram.connections == desk.cartesia.connections == 1


def test_twice_in_a_row_is_the_same_call():
    first, second = Desk().call(), Desk().call()
    assert said_and_done(first.raise_for_error()) == said_and_done(second.raise_for_error())
