"""Live detection judged by silero-vad's own offline timestamps (the ``reference`` extra)."""

from __future__ import annotations

import asyncio
import os

import pytest

from piopiy_lab import Caller, VoiceAgent, events, offline_stack, simulate
from piopiy_lab.sound import pcm


def test_the_live_detector_finds_what_the_reference_finds():
    if os.environ.get("PIOPIY_LAB_REQUIRE") != "all":
        pytest.importorskip("silero_vad", reason='pip install "piopiy-lab[reference]"')
        pytest.importorskip("pocketsphinx", reason='pip install "piopiy-lab[offline]"')
    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad

    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    caller = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()
    call = asyncio.run(simulate(create_session, caller.says("my name is anna").hears_reply()))
    samples = pcm.resample(call.recording.caller, call.recording.sample_rate, 16000)
    found = get_speech_timestamps(
        torch.from_numpy(pcm.to_float32(samples)), load_silero_vad(onnx=True), return_seconds=True
    )
    starts = [e.at - e.start_secs for e in call.events.of(events.UserSpeechStarted)]
    stops = [e.at - e.stop_secs for e in call.events.of(events.UserSpeechStopped)]
    assert len(found) == len(starts) == 2
    for reference, start, stop in zip(found, starts, stops, strict=True):
        assert start == pytest.approx(reference["start"], abs=0.25)
        assert stop == pytest.approx(reference["end"], abs=0.25)
