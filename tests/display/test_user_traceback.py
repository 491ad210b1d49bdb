"""What is left of a traceback: the user's part."""

from __future__ import annotations

import asyncio
import json
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from piopiy_lab import Caller, VoiceAgent, simulate
from piopiy_lab.display.user_traceback import shortened, user_line
from piopiy_lab.errors import ArgumentError


def names(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def raised_by(session, caller=None):
    call = asyncio.run(simulate(session, caller or Caller().waits(1)))
    with pytest.raises(Exception, match=".") as raised:
        call.raise_for_error()
    return raised.value


def test_the_way_to_the_users_code_is_gone():
    def look_up(name):
        return {}[name]

    async def create_session():
        look_up("desk")

    error = raised_by(create_session)
    assert names(error) == ["raised_by", "raise_for_error", "create_session", "look_up"]


def test_the_packages_own_checks_below_it_are_gone():
    async def create_session():
        VoiceAgent(instructions=7)

    error = raised_by(create_session)
    assert isinstance(error, ArgumentError | TypeError)
    assert names(error) == ["raised_by", "raise_for_error", "create_session"]


def test_what_others_code_did_there_stays():
    async def create_session():
        json.loads("{")

    assert names(raised_by(create_session))[2:] == [
        "create_session",
        "loads",
        "decode",
        "raw_decode",
    ]


def test_causes_are_shortened_too():
    async def create_session():
        try:
            VoiceAgent(instructions=7)
        except Exception as error:
            raise RuntimeError("no agent") from error

    error = raised_by(create_session)
    assert names(error)[2:] == names(error.__cause__) == ["create_session"]


def test_an_error_without_a_line_of_the_users_stays_whole():
    with ThreadPoolExecutor() as executor:
        error = executor.submit(json.loads, "{").exception()
    whole = names(error)
    assert whole[-1] == "raw_decode"
    assert names(shortened(error)) == whole


def test_the_line_is_that_of_the_cause_where_the_error_itself_has_none():
    def theirs():
        raise KeyError("desk")

    try:
        theirs()
    except KeyError as error:
        wrapped = RuntimeError("no agent")
        wrapped.__cause__ = error
    assert user_line(wrapped) == user_line(wrapped.__cause__)
    assert 'raise KeyError("desk")' in user_line(wrapped)
    assert user_line(RuntimeError("nowhere")) == ""
