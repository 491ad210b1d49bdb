"""Simulated calls: the same every time, with modelled latencies, and without keys."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from piopiy_lab import AudioFile, Caller, VoiceAgent, events, offline_stack, simulate
from piopiy_lab.errors import (
    ArgumentError,
    ArgumentTypeError,
    ScreenplayError,
    SimulationError,
    SimulationLimitError,
)
from piopiy_lab.offline import booking_desk
from piopiy_lab.offline.llm import RuleLLMService
from piopiy_lab.offline.tts import EspeakTTSService
from piopiy_lab.simulation.limits import Limits
from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService

BOOKING = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .interrupts("no make it friday", after=1.2)
    .hears("friday")
    .hears_reply()
    .says("my name is anna")
    .hears_reply()
    .says("yes please")
    .expects_tool("book_table", day="friday")
    .hears_reply()
)
SHORT = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()


async def desk_session():
    desk = booking_desk()
    agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def run(create_session=desk_session, caller=SHORT, **options):
    return asyncio.run(simulate(create_session, caller, **options))


def story(call):
    """What must not change: who said what, which tools were called, how it ended."""
    return (
        [(e.role, e.text, e.interrupted) for e in call.transcript],
        [(t.name, t.arguments, t.result) for t in call.tool_calls],
        call.end_reason,
        len(call.turns),
    )


def digest(folder):
    return [
        hashlib.sha256((Path(folder) / name).read_bytes()).hexdigest()
        for name in ("events.jsonl", "call.wav")
    ]


# --- the same every time ---------------------------------------------------------------------


def test_ten_runs_in_one_process_give_the_same_bytes(tmp_path):
    digests = []
    for number in range(10):
        folder = tmp_path / str(number)
        run(caller=BOOKING if number % 5 == 0 else SHORT, record=folder)
        digests.append(digest(folder))
    assert digests[0] == digests[5]
    short = [d for number, d in enumerate(digests) if number % 5]
    assert all(d == short[0] for d in short)
    assert short[0] != digests[0]


def test_five_fresh_processes_on_a_loaded_machine_give_the_same_bytes(tmp_path):
    """They run side by side on two cores, so each of them is on a loaded machine."""
    code = (
        "import asyncio, sys; sys.path.insert(0, sys.argv[2]);"
        "from test_simulate import *; run(caller=BOOKING, record=sys.argv[1])"
    )
    here = str(Path(__file__).parent)
    seeds = ["0", "1", "77", "4242", "random"]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path / f"p{number}", here],
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for number, seed in enumerate(seeds)
    ]
    assert [process.wait(100) for process in running] == [0] * 5
    run(caller=BOOKING, record=tmp_path / "idle")
    expected = digest(tmp_path / "idle")
    assert [digest(tmp_path / f"p{number}") for number in range(5)] == [expected] * 5


def test_what_differs_between_runs_is_only_in_the_meta_file(tmp_path):
    run(record=tmp_path / "a", call_id="a")
    run(record=tmp_path / "b", call_id="b")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert (tmp_path / "a" / "meta.json").read_bytes() != (tmp_path / "b/meta.json").read_bytes()


def test_shuffling_what_is_due_at_once_does_not_change_the_conversation():
    expected = story(run(caller=BOOKING))
    for seed in (1, 2, 3):
        assert story(run(caller=BOOKING, shuffle_seed=seed)) == expected


def test_two_simulations_in_two_threads_do_not_see_each_other():
    results = {}

    def one(name, caller):
        results[name] = run(caller=caller)

    threads = [
        threading.Thread(target=one, args=("long", BOOKING)),
        threading.Thread(target=one, args=("short", SHORT)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert story(results["long"]) == story(run(caller=BOOKING))
    assert story(results["short"]) == story(run())


# --- without keys, on any sentence -----------------------------------------------------------


async def cloud_session():
    from pipecat.services.cartesia.tts import CartesiaTTSService
    from pipecat.services.deepgram.stt import DeepgramSTTService
    from pipecat.services.openai.llm import OpenAILLMService

    agent = VoiceAgent(instructions="You are a helpful assistant.", greeting="Hello there.")
    await agent.Action(
        stt=DeepgramSTTService(api_key=os.environ["DEEPGRAM_API_KEY"]),
        llm=OpenAILLMService(api_key=os.getenv("OPENAI_API_KEY"), model="gpt-4o-mini"),
        tts=CartesiaTTSService(api_key=os.getenv("CARTESIA_API_KEY")),
        vad=True,
    )
    await agent.start()


@pytest.fixture
def no_keys(monkeypatch):
    for name in list(os.environ):
        if name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    return monkeypatch


def replacements():
    return {
        "stt": "screenplay",
        "llm": lambda: RuleLLMService(booking_desk().rules()),
        "tts": EspeakTTSService,
    }


def test_a_session_written_for_cloud_services_runs_without_keys(no_keys):
    sentence = "colourless green ideas sleep furiously in a quixotic vestibule"
    caller = Caller().hears_greeting().says(sentence).hears_reply()
    call = run(cloud_session, caller, replace=replacements())
    call.raise_for_error()
    assert call.transcript[1].text == sentence
    assert call.transcript[2].role == "assistant"
    assert not any(name.endswith("_API_KEY") for name in os.environ)


def test_a_key_that_is_set_is_left_alone(no_keys):
    no_keys.setenv("OPENAI_API_KEY", "mine")
    seen = []

    async def create_session():
        seen.append((os.environ["OPENAI_API_KEY"], os.environ["DEEPGRAM_API_KEY"] != ""))
        await cloud_session()

    run(create_session, replace=replacements())
    assert seen == [("mine", True)]
    assert os.environ["OPENAI_API_KEY"] == "mine"
    assert "DEEPGRAM_API_KEY" not in os.environ


def test_without_replace_no_key_is_made_up(no_keys):
    call = run(cloud_session)
    assert isinstance(call.error, KeyError)


def test_the_screenplay_recogniser_can_mishear_and_the_same_words_each_time():
    def mishearing():
        return ScreenplaySTTService(error_rate=0.5, seed=4)

    heard = [run(replace={"stt": mishearing}).transcript[1].text for _ in range(2)]
    assert heard[0] == heard[1] != "a table for two tomorrow at seven"


@pytest.mark.parametrize(
    ("replace", "words"),
    [
        ({"vad": None}, "no part 'vad'"),
        ({"llm": "screenplay"}, "only the stt"),
        ({"tts": "espeak"}, "'espeak'"),
    ],
)
def test_a_wrong_replacement_is_named(replace, words):
    with pytest.raises(ArgumentError, match=words):
        run(replace=replace)


def test_the_screenplays_words_after_a_pause_are_waited_for_within_their_turn():
    caller = Caller().hears_greeting().says("a table for two").waits(0.4).says("tomorrow at seven")
    call = run(caller=caller.hears_reply().hangs_up(), replace={"stt": "screenplay"})
    call.raise_for_error()
    texts = [event.text for event in call.events.of(events.Transcribed)]
    assert texts == ["a table for two", "tomorrow at seven"]  # the detector heard the pause
    assert call.transcript[1].text == "a table for two tomorrow at seven"
    assert len(call.events.of(events.ContextSent)) == 1
    assert not call.events.of(events.AgentInterrupted)


# --- latencies -------------------------------------------------------------------------------


def test_modelled_latencies_show_in_their_parts_and_nowhere_else():
    plain = run(replace={"stt": "screenplay"}).turns[0]
    slow = run(
        replace={"stt": "screenplay"},
        latency={"stt": 0.4, "llm": 0.35, "tts": 0.2, "turn": 0.19},
    ).turns[0]
    # the model is asked 0.1 s before the detector is sure: 5 of its windows, 2 frames of 20 ms off
    assert slow.parts["turn"] == pytest.approx(plain.parts["turn"] + 0.09, abs=0.021)
    waited = slow.parts["turn"] + slow.parts["transcript"]  # it waits beside the turn
    assert waited == pytest.approx(0.4, abs=0.005)
    assert slow.parts["llm"] == pytest.approx(plain.parts["llm"] + 0.35, abs=0.005)
    assert slow.parts["tts"] == pytest.approx(plain.parts["tts"] + 0.2, abs=0.005)
    assert slow.parts["output"] == pytest.approx(plain.parts["output"], abs=0.005)


def test_measured_latencies_are_drawn_the_same_way_each_time():
    measured = [0.2, 0.5, 0.9]
    first, second = (run(caller=BOOKING, latency={"llm": measured}) for _ in range(2))
    parts = [round(turn.parts["llm"], 3) for turn in first.turns]
    assert parts == [round(turn.parts["llm"], 3) for turn in second.turns]
    assert len({round(p, 1) for p in parts} & {0.2, 0.5, 0.9}) >= 2


@pytest.mark.parametrize(
    ("latency", "error", "words"),
    [
        ({"vad": 1}, ArgumentError, "no part 'vad'"),
        ({"llm": -1}, ArgumentError, "-1"),
        ({"llm": "fast"}, ArgumentTypeError, "fast"),
        ({"llm": []}, ArgumentError, "empty"),
    ],
)
def test_a_wrong_latency_is_named(latency, error, words):
    with pytest.raises(error, match=words):
        run(latency=latency)


# --- guards ----------------------------------------------------------------------------------


def test_a_simulation_inside_a_simulation_is_refused():
    async def create_session():
        await simulate(desk_session, SHORT)

    call = run(create_session)
    with pytest.raises(SimulationError, match="inside a simulation"):
        call.raise_for_error()


def test_a_call_that_never_ends_reaches_the_cap_and_says_where_it_was():
    async def deaf():
        agent = VoiceAgent(instructions="x", greeting="Hello.", idle_timeout_secs=0)
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    caller = Caller().hears_greeting().hears_reply(timeout=10_000)
    with pytest.raises(SimulationLimitError, match=r"(?s)step 2, hears_reply.*Last events"):
        run(deaf, caller, limits=Limits(virtual_secs=60))


def test_a_session_that_polls_without_waiting_is_found():
    async def polls():
        while True:  # noqa: ASYNC110 - polling is what is tested
            await asyncio.sleep(0)

    with pytest.raises(SimulationLimitError, match="polls without waiting"):
        run(polls)


def test_a_session_that_waits_for_nothing_is_found():
    async def waits():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(SimulationError, match="waits"):
        run(waits)


def test_a_live_microphone_can_not_be_simulated():
    with pytest.raises(ArgumentTypeError, match="microphone"):
        run(caller="microphone")
    with pytest.raises(ArgumentTypeError, match="shuffle|outside|simulate"):
        run(caller=None)
    with pytest.raises(ArgumentError, match="outside='later'"):
        run(outside="later")


def test_a_failed_screenplay_keeps_the_recording():
    call = run(caller=Caller().hears("pizza", within=3))
    assert isinstance(call.error, ScreenplayError)
    assert call.recording.duration == pytest.approx(call.duration, abs=0.01)


def test_everything_a_live_call_has(tmp_path):
    call = run(caller=BOOKING)
    call.save(tmp_path / "call")
    again = run(caller=AudioFile(tmp_path / "call"))
    assert call.transcript
    assert call.turns
    assert call.context
    assert call.events.of(events.VADSampled)
    assert call.services
    assert call.agent is not None
    assert again.transcript


def test_a_long_reply_is_no_livelock():
    """Its sound comes at one instant, and takes many turns of the loop without any polling."""
    sentence = "This is what there is to say of it. "

    async def create_session():
        stt, llm, tts = offline_stack(replies={"tell me all": sentence * 30})
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    caller = Caller().hears_greeting().says("tell me all").hears_reply(timeout=300).hangs_up()
    options = {"replace": {"stt": "screenplay"}, "limits": Limits(turns=2_000), "record": False}
    call = run(create_session, caller, **options).raise_for_error()
    assert call.transcript[-1].text.count("of it.") == 30
