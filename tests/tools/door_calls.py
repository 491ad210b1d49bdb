"""Calls about doors: what is said in them, and which tools that calls."""

from __future__ import annotations

import json

from piopiy_lab import Caller, calls_tool, events

#: What the caller of these tests may say, and which tools that calls.
DOORS = {
    "slots": {"room": ["kitchen", "garden"]},
    "replies": {
        "open the {room} door": calls_tool("open_door", room="{room}"),
        "close the window": calls_tool("close_window"),
        "what is the weather": calls_tool("weather"),
        "goodbye": calls_tool("end_call", goodbye="Goodbye, and thank you for calling."),
        "thank you": "You are welcome.",
    },
}

OPEN_THE_DOOR = Caller().hears_greeting().says("open the garden door")
KNOCK = OPEN_THE_DOOR.expects_tool("open_door", room="garden").hears_reply()


def told(call):
    """What the LLM read of the tools' results."""
    messages = call.events.of(events.ContextSent)[-1].messages
    return [json.loads(m["content"]) for m in messages if m["role"] == "tool"]
