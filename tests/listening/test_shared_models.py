"""One model session of each kind per process, however many calls there are."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import onnxruntime
import pytest

from piopiy_lab import Caller, VoiceAgent, events, offline_stack, simulate
from piopiy_lab.listening import seams
from piopiy_lab.listening.turn_taking import make_strategies
from piopiy_lab.listening.vad import make_vad

CALLER = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()


async def desk():
    agent = VoiceAgent(instructions="You are a desk.", greeting="Hello.")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def test_a_second_call_loads_no_model(monkeypatch):
    def call():
        made = asyncio.run(simulate(desk, CALLER.hangs_up())).raise_for_error()
        assert made.events.of(events.VADSampled)
        assert made.events.of(events.TurnPredicted)  # both models were in use
        return [event.to_json() for event in made.events.of(events.VADSampled)]

    loaded = []
    load = onnxruntime.InferenceSession

    def counting(*args, **kwargs):
        loaded.append(args)
        return load(*args, **kwargs)

    first = call()
    monkeypatch.setattr(onnxruntime, "InferenceSession", counting)
    assert call() == first  # and what one call left in a model is not in the next
    assert loaded == []


def test_two_calls_at_once_share_the_models_and_not_what_they_have_heard():
    one, two = make_vad(True), make_vad(True)
    for vad in (one, two):
        vad.set_sample_rate(16000)
    assert one._model.session is two._model.session
    assert one._model is not two._model
    stops = [make_strategies(vad=True, allow_interruptions=True).stop[0] for _ in "12"]
    turns = [stop._turn_analyzer.looking for stop in stops]
    assert turns[0]._session is turns[1]._session
    turns[0].set_sample_rate(16000)
    turns[0].append_audio(bytes(640), True)
    assert turns[0]._audio_buffer
    assert not turns[1]._audio_buffer


@pytest.mark.parametrize(
    ("kept", "made_by", "make"),
    [
        ("_silero", "SileroVADAnalyzer", lambda: make_vad(True)),
        (
            "_smart_turn",
            "FrugalSmartTurn",
            lambda: make_strategies(vad=True, allow_interruptions=True),
        ),
    ],
)
def test_calls_that_begin_at_once_on_two_threads_load_once(monkeypatch, kept, made_by, make):
    load, loaded, both = getattr(seams, made_by), [], threading.Barrier(2)

    def slow(*args, **kwargs):
        loaded.append(args)
        time.sleep(0.1)  # the other thread comes meanwhile
        return load(*args, **kwargs)

    def begin():
        both.wait()
        return make()

    monkeypatch.setattr(seams, kept, None)
    monkeypatch.setattr(seams, made_by, slow)
    with ThreadPoolExecutor(2) as threads:
        for made in [threads.submit(begin), threads.submit(begin)]:
            made.result()
    assert len(loaded) == 1
