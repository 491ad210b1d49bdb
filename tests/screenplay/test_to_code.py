"""``call.to_code()``: a call's caller as a screenplay, which brings the same call about."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from piopiy_lab import Caller, VoiceAgent, events, offline_stack, simulate
from piopiy_lab.screenplay.code import code_of
from piopiy_lab.screenplay.literals import literal

GREETED = Caller().hears_greeting()
CALLERS = {
    "booking": GREETED.says("a table for two tomorrow at seven")
    .hears("what name", within=4)
    .hears_reply()
    .says("my name is anna")
    .hears_reply()
    .says("yes please")
    .expects_tool("book_table", party_size=2)
    .hears_reply(),
    "barge-in": GREETED.says("a table for two tomorrow at seven")
    .interrupts("no make it friday", after=1.3)
    .hears_reply()
    .hangs_up(),
    "pauses": Caller()
    .interrupts("a table for two tomorrow at seven", after=0.7)
    .hears_reply()
    .says("my name is anna")
    .waits(0.2)
    .says("yes please")
    .waits(5)
    .hangs_up(),
    "keys": GREETED.presses("12#").waits(4).says("a table for two").hears_reply().hangs_up(),
    "fails": GREETED.says("a table for two tomorrow at seven").hears("three people", within=3),
    "nothing": GREETED.waits(70),
}
#: Of a log: how the caller was written, and (with a real one) what was said.
WRITTEN = (events.CallerStepStarted, events.CallerStepFinished)
SPOKEN = (*WRITTEN, events.CallerSpoke)


async def desk():
    agent = VoiceAgent(instructions="x", greeting="Hello, how can I help?", idle_timeout_secs=20)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def run(caller, session=desk, **options):
    return asyncio.run(simulate(session, caller, **options))


@pytest.fixture(scope="module")
def calls():
    return {name: run(caller) for name, caller in CALLERS.items()}


def without(call, *kinds):
    return [event for event in call.events if not isinstance(event, kinds)]


def made_by(code):
    names = {}
    exec(code, names)
    return names["caller"]


def course(call):
    """What a conversation was, without times."""
    return (
        [(entry.role, entry.text, entry.interrupted) for entry in call.transcript],
        [(tool.name, tool.arguments, tool.status) for tool in call.tool_calls],
        call.end_reason,
    )


@pytest.mark.parametrize("name", CALLERS)
def test_a_screenplay_comes_back_as_it_was_written(calls, name):
    code = calls[name].to_code()
    written, back = CALLERS[name].steps, made_by(code).steps
    assert back == written[: len(back)]
    assert len(back) == len(written)


@pytest.mark.parametrize("name", CALLERS)
def test_what_was_done_is_a_screenplay_of_the_same_call(calls, name):
    code = code_of(without(calls[name], *WRITTEN), "x", None)
    assert course(run(made_by(code))) == course(calls[name]), code


@pytest.mark.parametrize("name", ["booking", "barge-in", "keys"])
def test_of_a_real_caller_the_words_are_the_recognisers(calls, name):
    code = code_of(without(calls[name], *SPOKEN), "x", None)
    assert course(run(made_by(code))) == course(calls[name]), code


def test_it_reads_as_a_screenplay(calls):
    assert code_of(without(calls["barge-in"], *WRITTEN), "bad", None) == (
        "# The caller of call bad, to edit: made by call.to_code().\n"
        "from piopiy_lab import Caller\n"
        "\n"
        "caller = (\n"
        "    Caller()\n"
        "    # agent: Hello, how can I help?\n"
        "    .hears_greeting()\n"
        '    .says("a table for two tomorrow at seven")\n'
        "    # agent: A table for two tomorrow at\n"
        '    .interrupts("no make it friday", after=1.3)\n'
        "    # agent: seven. On Friday. What name is it under?\n"
        "    .hears_reply()\n"
        "    .hangs_up()\n"
        ")\n"
    )


def test_where_nobody_knows_the_words_the_sound_is_heard(calls, tmp_path):
    call = calls["booking"]
    folder = call.save(tmp_path / "a call")
    code = code_of(without(call, *SPOKEN, events.Transcribed), "x", folder)
    assert " s of sound whose words nobody knows\n" in code
    assert ".says(sounds[0])\n" in code
    assert f'Call.load("{folder.as_posix()}")' in code
    assert course(run(made_by(code)))[1:] == course(call)[1:]


SAID = [
    "she said \"two\" and 'three'",
    "back\\slash\nnew line\ttab",
    "மேசை வேண்டும்",
    "一张桌子 🙂 \u2028 \u202e evil",
    "'''\"\"\"{braces} %s",
]


@pytest.mark.parametrize("text", SAID)
def test_any_text_survives(text):
    assert eval(literal(text)) == text
    assert literal(text).isprintable()
    log = [
        events.CallStateChanged(at=0.0, old="starting", new="listening"),
        events.WordSpoken(at=0.2, text=f"{text} # agent\n.hangs_up()"),
        events.CallerSpoke(at=1.0, end=2.0, text=text),
        events.UserTextTyped(at=3.0, text=text),
        events.CallEnded(at=4.0, reason="caller_hung_up"),
    ]
    steps = made_by(code_of(log, f"{text}\nimport os", None)).steps
    assert [step.text for step in steps if hasattr(step, "text")] == [text, text]


def test_secrets_are_left_out():
    key = "sk-" + "a1B2c3D4" * 6
    log = [
        events.CallStateChanged(at=0.0, old="starting", new="listening"),
        events.WordSpoken(at=0.2, text=f"Your key is {key}"),
        events.CallerSpoke(at=1.0, end=2.0, text=f"my key is {key}"),
        events.CallEnded(at=4.0, reason="caller_hung_up"),
    ]
    code = code_of(log, "x", None)
    assert key not in code
    assert "my key is" in code


def test_a_pattern_is_one_again():
    import re

    caller = GREETED.says("a table for two tomorrow at seven").hears(
        re.compile(r"what (name|day)", re.I)
    )
    call = run(caller)
    assert 're.compile("what (name|day)", re.IGNORECASE)' in call.to_code()
    assert course(run(made_by(call.to_code()))) == course(call)


def test_of_a_call_that_never_began():
    async def breaks():
        raise OSError("no such desk")

    call = run(GREETED, breaks)
    assert made_by(call.to_code()).steps is not None


def test_a_real_callers_backchannel_is_one_again():
    caller = GREETED.says("a table for two tomorrow at seven").backchannels("mm hmm", after=0.8)
    call = run(caller.hears_reply().waits(2).hangs_up())
    assert [e.text for e in call.events.of(events.BackchannelHeard)] != []
    log = without(call, *SPOKEN)
    assert ".backchannels(" in code_of(log, "x", None)
    assert ".interrupts(" not in code_of(log, "x", None)
    (kept,) = (event for event in log if isinstance(event, events.BackchannelHeard))
    low = [replace(kept, aside=True) if event is kept else event for event in log]
    assert ".says_aside(" in code_of(low, "x", None)
