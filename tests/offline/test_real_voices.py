"""People's recorded voices, whose words are in no phrase list, at the desk that `talk` runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from virtual_card import need

from piopiy_lab import AudioFile, Caller, events, offline_stack, simulate
from piopiy_lab.cli.talk import desk_session as create_session
from piopiy_lab.offline.phrases import parse_unclear

FOLDER = Path("/usr/share/sounds/alsa")
#: All of the package's clips that are speech: one woman, two or three words each.
NAMES = (
    "Front_Center Front_Left Front_Right Rear_Center Rear_Left Rear_Right Side_Left Side_Right"
).split()


@pytest.mark.parametrize("name", NAMES)
def test_a_human_voice_is_rejected_politely_and_not_misheard(name):
    path = FOLDER / f"{name}.wav"
    if not path.is_file():
        need(f"no {path}: apt install alsa-utils")
    caller = Caller().hears_greeting().says(AudioFile(path)).hears_reply().hangs_up()
    call = asyncio.run(simulate(create_session, caller)).raise_for_error()
    assert call.events.of(events.UserSpeechStarted), "it was heard as speech"
    assert not call.tool_calls
    heard = [event.text for event in call.events.of(events.Transcribed)]
    assert heard, "it was transcribed"
    said = name.lower().split("_")  # over the agent's words everyday words are understood
    assert all(parse_unclear(text) is not None or text in said for text in heard), heard
    reply = call.transcript[-1]  # which the second word cuts off, where it came to no words
    wanted = "Sorry I" if reply.interrupted else "Sorry I did not get that. You can say:"
    assert wanted in reply.text


def test_the_offline_recogniser_says_what_it_understands():
    desk_stt, *_ = offline_stack()
    assert desk_stt.try_saying[0] == "a table for two tomorrow at seven"
    assert all(desk_stt.book.match(text.lower()) for text in desk_stt.try_saying)
    own, *_ = offline_stack(replies={"open the door": "Done.", "thank you": "Welcome."})
    assert {*own.try_saying} == {"open the door", "thank you"}
