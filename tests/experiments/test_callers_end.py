"""Callers and agents that never end: no caller is a trap, and what has no end says so."""

from __future__ import annotations

import asyncio
import itertools

import numpy as np
import pytest
import soundfile
from quick_agents import quick

from piopiy_lab import AudioFile, Caller, VoiceAgent, offline_stack, simulate_many
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.simulation import Limits

GREETED = Caller().hears_greeting()


def many(session, callers, **told):
    return asyncio.run(simulate_many(session, callers, **{"executor": 0, **told}))


async def talks_for_ever(call_id):
    stt, llm, tts = offline_stack()
    agent = VoiceAgent(instructions="You talk.", greeting="and so on " * 40)
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


@pytest.mark.parametrize(
    "caller",
    [
        GREETED,
        GREETED.says("tomorrow"),
        GREETED.says("tomorrow").hears_reply(),
        GREETED.waits(1.0),
        GREETED.presses("12"),
    ],
)
def test_a_screenplay_that_is_over_hangs_up_by_itself(caller):
    """The agent never ends a call: it would listen for ever."""
    ended, told = many(quick(), {"ends": caller.hangs_up(), "is over": caller})
    assert (ended.kind, ended.end_reason) == ("passed", "caller_hung_up")
    assert (told.kind, told.end_reason, told.secs) == ("passed", "caller_hung_up", ended.secs)


def test_a_step_that_waits_for_an_agent_who_never_stops_fails_by_its_own_time():
    (row,) = many(talks_for_ever, GREETED)
    assert (row.kind, row.failing_step) == ("failed", "hears_greeting()")
    assert row.secs < 15


def test_a_recording_listens_on_to_an_agent_who_never_stops_and_the_row_says_how_to_end_it(
    tmp_path,
):
    path = tmp_path / "short.wav"
    soundfile.write(path, np.zeros(1600, np.int16), 16000)
    (row,) = many(talks_for_ever, AudioFile(path), limits=Limits(virtual_secs=20))
    assert row.kind == "failed"
    assert "reached its cap of 20 virtual seconds" in row.error
    assert "Limits(virtual_secs=...)" in row.error


def test_callers_without_an_end_none_and_two_of_a_name():
    with pytest.raises(ArgumentTypeError, match="may have no end: give a list or a dict"):
        many(quick(), itertools.repeat(GREETED))
    for nobody in ({}, [], ()):
        with pytest.raises(ArgumentError, match="callers is empty: give one at least"):
            many(quick(), nobody)
