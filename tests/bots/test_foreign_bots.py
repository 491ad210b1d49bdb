"""Bots in the shapes that others write them, unchanged on a scripted caller in virtual time.

`tests/foreign_bots` has them: written for pipecat's own runner or for the vendor's, with cloud
services and keys from the environment, and nothing of ours. `benchmarks/foreign_bots.py` runs the
public ones that they are like; docs/foreign_bots.md has what came of it.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import onnxruntime
import pytest

from piopiy_lab import Caller, calls_tool, events, simulate
from piopiy_lab.offline import EspeakTTSService, RuleBook, RuleLLMService, offline_realtime

BOTS = Path(__file__).parents[1] / "foreign_bots"
TELL, STOP = "tell me a long story", "stop that and say hello"
LONG = "Once upon a time there was a small house by a big river. " * 3
ASIDE = {TELL: LONG.strip(), STOP: "Hello then.", "good morning": "Good morning."}

#: For each bot: what the caller says first, what the stand-in for the LLM answers, and what of the
#: answer must be heard.
FIRST: dict[str, tuple[str, object, str]] = {
    "quickstart": ("what is in the first room", "There are old maps.", "old maps"),
    "phone_twilio": ("is my car ready", "It is ready at five.", "at five"),
    "phone_telnyx": ("please call me back", "The doctor will call you back.", "call you back"),
    "daily_dialin": ("to the station please", "The taxi is on its way.", "on its way"),
    "station": (
        "when is the next train to paris",
        calls_tool("next_train", city="Paris").says("It goes at {time}."),
        "ten past nine",
    ),
    "min_words": ("what is new today", "Nothing is new today.", "nothing is new"),
    "idle": ("have you got a red one", "There is a red one.", "a red one"),
    "two_voices": ("what has four legs", "A table has four legs.", "a table"),
    "realtime": ("what can you see", "I can see two ships.", "two ships"),
    "parallel": ("make me a rhyme", "A cat in a hat.", "a hat"),
    "handoff": (
        "what is for dinner",
        calls_tool("hand_over", to="chef").says("Soup, says the chef."),
        "says the chef",
    ),
    "wake_word": ("matilda it is too dark", "The lamp is on.", "lamp is on"),
    "flow": (
        "six roses please",
        calls_tool("choose_flowers", kind="roses", count="six").says("That is {price} euros."),
        "12 euros",
    ),
    "live_model": ("will it rain", "It will rain at noon.", "at noon"),
    "piopiy_desk": ("is my bicycle ready", "It is ready today.", "ready today"),
}
TOOLS = {"station": "next_train", "handoff": "hand_over", "flow": "choose_flowers"}


def load(name):
    """Import a bot anew."""
    spec = importlib.util.spec_from_file_location(f"foreign_{name}", BOTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stand_ins(name, replies, **words):
    """What ``replace=`` takes: services without keys, with answers for this bot."""
    if name in ("realtime", "live_model"):
        return {"llm": lambda: offline_realtime(replies=replies, **words)}
    return {
        "stt": "screenplay",
        "llm": lambda: RuleLLMService(RuleBook(replies, **words)),
        "tts": EspeakTTSService,
    }


def two_turns_and_an_interruption(name):
    """Return the caller and the stand-ins of a bot."""
    said, reply, heard = FIRST[name]
    caller = Caller().hears_greeting().says(said)
    if name in TOOLS:
        caller = caller.expects_tool(TOOLS[name])
    caller = caller.hears(heard).says(TELL).interrupts(STOP, after=1.5).hears("hello then")
    return caller.hangs_up(), stand_ins(name, {**ASIDE, said: reply})


OPTIONS = {
    "daily_dialin": {
        "metadata": {
            "dialin_settings": {"call_id": "c", "call_domain": "d", "From": "+1", "To": "+2"},
            "daily_api_key": "none",
            "daily_api_url": "https://api.daily.example",
        }
    },
    "piopiy_desk": {
        "from_number": "919000000002",
        "direction": "inbound",
        "variables": {"customer": "Asha"},
    },
}


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    """What the vendor's own client wants before a call; the others' keys are held by simulate."""
    monkeypatch.setenv("PIOPIY_TOKEN", "none")


@pytest.mark.parametrize("name", FIRST)
async def test_a_bot_talks_two_turns_and_is_interrupted(name):
    module = load(name)
    caller, replace = two_turns_and_an_interruption(name)
    call = await simulate(module.bot, caller, replace=replace, **OPTIONS.get(name, {}))
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"
    assert [entry.text for entry in call.transcript if entry.role == "user"][0] == FIRST[name][0]
    cut = [entry for entry in call.transcript if entry.interrupted]
    assert [entry.role for entry in cut] == ["assistant"]
    assert LONG.startswith(cut[0].text)
    assert [event.speaking for event in call.events.of(events.AgentInterrupted)].count(True) == 1
    assert len(call.turns) >= 3
    assert all(turn.total > 0 for turn in call.turns)
    assert [tool.name for tool in call.tool_calls] == [TOOLS[name] for _ in {name} & set(TOOLS)]
    assert call.events.of(events.ContextSent)
    assert call.recording.any(axis=0).all()


async def test_a_phone_bot_records_at_the_phones_rate():
    module = load("phone_twilio")
    caller, replace = two_turns_and_an_interruption("phone_twilio")
    call = await simulate(module.bot, caller, replace=replace)
    [(size, rate)] = module.recorded
    assert rate == 8000
    assert size / 2 / rate == pytest.approx(call.duration, abs=2)


async def test_a_phone_bot_reads_the_numbers_off_the_handshake():
    module = load("phone_telnyx")
    caller, replace = two_turns_and_an_interruption("phone_telnyx")
    await simulate(
        module.bot, caller, replace=replace, call_id="t-1", from_number="+1415", to_number="+1416"
    )
    [told] = module.seen
    assert (told["call_id"], told["from"], told["to"]) == ("t-1", "+1415", "+1416")


async def test_a_dialin_bot_reads_who_called():
    module = load("daily_dialin")
    caller, replace = two_turns_and_an_interruption("daily_dialin")
    await simulate(module.bot, caller, replace=replace, **OPTIONS["daily_dialin"])
    assert module.callers == ["+1"]


async def test_the_vendors_bot_is_told_its_call():
    module = load("piopiy_desk")
    caller, replace = two_turns_and_an_interruption("piopiy_desk")
    await simulate(module.bot, caller, replace=replace, call_id="p-1", **OPTIONS["piopiy_desk"])
    assert module.seen == [
        {
            "id": "p-1",
            "from": "919000000002",
            "inbound": True,
            "connected": False,
            "customer": "Asha",
        }
    ]


async def test_a_bots_own_observer_and_branch_run_on():
    module = load("min_words")
    caller, replace = two_turns_and_an_interruption("min_words")
    await simulate(module.bot, caller, replace=replace)
    assert module.noted == [FIRST["min_words"][0], TELL, STOP]
    assert "LLMUserAggregator" in module.taken
    module = load("parallel")
    caller, replace = two_turns_and_an_interruption("parallel")
    call = await simulate(module.bot, caller, replace=replace)
    assert "hat" in "".join(module.counted)
    assert call.transcript[0].text in "".join(module.counted)


async def test_one_word_does_not_interrupt_a_bot_that_wants_three():
    module = load("min_words")
    caller = Caller().hears_greeting().says(TELL).interrupts("right", after=1.0).hears_reply()
    call = await simulate(module.bot, caller, replace=stand_ins("min_words", ASIDE))
    assert not [event for event in call.events.of(events.AgentInterrupted) if event.speaking]
    assert call.transcript[2].text == LONG.strip()


async def test_a_bot_that_nobody_answers_asks_and_hangs_up():
    module = load("idle")
    caller = Caller().hears_greeting().hears("still there", within=10).hears("goodbye").waits(10)
    call = await simulate(module.bot, caller, replace=stand_ins("idle", ASIDE))
    call.raise_for_error()
    assert call.end_reason == "agent_ended"


async def test_a_bot_that_does_not_know_its_name_is_not_woken():
    module = load("wake_word")
    caller = Caller().hears_greeting().says("it is too dark").waits(5).hangs_up()
    replies = {"it is too dark": "The lamp is on."}
    call = await simulate(module.bot, caller, replace=stand_ins("wake_word", replies))
    assert [entry.role for entry in call.transcript if entry.role == "assistant"] == ["assistant"]
    assert not call.turns


async def test_what_stands_in_for_a_model_that_hears_turns_brings_a_detector():
    module = load("live_model")
    caller, replace = two_turns_and_an_interruption("live_model")
    call = await simulate(module.bot, caller, replace=replace)
    assert call.events.of(events.VADSampled)
    [notice, *_] = [event.message for event in call.events.of(events.NoticeGiven)]
    assert "no voice activity detector, and RuleRealtimeService stands in" in notice


async def test_a_switching_bot_is_seen_to_switch():
    module = load("two_voices")
    caller, replace = two_turns_and_an_interruption("two_voices")
    call = await simulate(module.bot, caller, replace=replace)
    assert len(call.events.of(events.ServiceSwitched)) == 2


async def test_a_handed_over_caller_talks_to_the_second_agent():
    module = load("handoff")
    caller, replace = two_turns_and_an_interruption("handoff")
    call = await simulate(module.bot, caller, replace=replace)
    assert module.active == ["chef"]
    [notice] = [event.message for event in call.events.of(events.NoticeGiven)]
    assert "behind its bus" in notice  # and no more: contexts, tools, answers are seen
    assert call.tool_calls[0].arguments == {"to": "chef"}


async def test_what_a_language_model_behind_the_bus_takes_is_seen():
    module = load("handoff")
    caller, replace = two_turns_and_an_interruption("handoff")
    call = await simulate(module.bot, caller, replace=replace, latency={"llm": 0.4})
    assert call.turns[-1].parts["llm"] == pytest.approx(0.4, abs=0.05)


async def test_a_flow_goes_from_node_to_node_and_ends_the_call():
    module = load("flow")
    replies = {
        FIRST["flow"][0]: FIRST["flow"][1],
        "when are you open": calls_tool("opening_hours").says("From {hours}."),
        "yes": calls_tool("confirm").says("It is ready {ready}."),
    }
    caller = (
        Caller()
        .hears_greeting()
        .says(FIRST["flow"][0])
        .hears("12 euros")
        .says("when are you open")
        .hears("nine to six")
        .says("yes")
        .hears("at noon")
        .waits(5)
    )
    call = await simulate(module.bot, caller, replace=stand_ins("flow", replies))
    call.raise_for_error()
    assert call.end_reason == "agent_ended"
    assert module.orders == [{"kind": "roses", "count": 6}]
    names = [tool.name for tool in call.tool_calls]
    assert names == ["choose_flowers", "opening_hours", "confirm"]


async def test_a_menu_is_worked_by_keys():
    module = load("keypad")
    caller = (
        Caller().hears_greeting().presses("1").waits(4).hears("high tide").presses("2").waits(5)
    )
    call = await simulate(
        module.bot,
        caller.hangs_up(),
        replace=stand_ins("keypad", ASIDE, fallback="It is high tide."),
    )
    call.raise_for_error()
    assert [event.digit for event in call.events.of(events.DTMFReceived)] == ["1", "2"]
    assert [entry.text for entry in call.transcript if entry.role == "assistant"][1:] == [
        "It is high tide.",
        "It is high tide.",
    ]


@pytest.mark.parametrize("name", ["quickstart", "flow", "piopiy_desk"])
def test_the_conversation_is_the_golden_one(name, golden, simulate):
    caller, replace = two_turns_and_an_interruption(name)
    golden(simulate(load(name).bot, caller, replace=replace, **OPTIONS.get(name, {})))


@pytest.mark.parametrize("name", ["quickstart", "handoff", "realtime"])
async def test_the_same_bot_is_the_same_call_byte_for_byte(name, tmp_path):
    bytes_of = []
    for number in ("one", "two"):
        caller, replace = two_turns_and_an_interruption(name)
        call = await simulate(load(name).bot, caller, replace=replace)
        call.save(tmp_path / number)
        bytes_of.append(
            [(tmp_path / number / file).read_bytes() for file in ("events.jsonl", "call.wav")]
        )
    assert bytes_of[0] == bytes_of[1]


async def test_a_second_call_of_a_bot_loads_no_model(monkeypatch):
    async def judged():
        caller, replace = two_turns_and_an_interruption("quickstart")
        call = await simulate(load("quickstart").bot, caller, replace=replace)
        assert call.events.of(events.TurnPredicted)  # both detectors were at work
        return [event.to_json() for event in call.events.of(events.VADSampled)]

    first, loaded = await judged(), []
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *args, **_: loaded.append(args))
    assert await judged() == first
    assert loaded == []
