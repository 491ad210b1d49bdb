"""Names that examples import: where they are, where they went, or a placeholder in their place."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import subprocess
import sys
import textwrap

import pytest
from example_matrix import EXAMPLES, piopiy_names

from piopiy_lab import Caller, events, offline_realtime, offline_stack, piopiy_alias, simulate
from piopiy_lab.errors import ServiceError
from piopiy_lab.service_catalog.entries import catalog
from piopiy_lab.simulation.placeholder_keys import placeholder_keys

CALLER = (
    Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply().hangs_up()
)
PLACEHOLDERS = [
    ("piopiy.services.opensource.chatterbox.tts", "ChatterboxTTSService", "tts"),
    ("piopiy.services.opensource.kokoro.tts", "KokoroTTSService", "tts"),
    ("piopiy.services.opensource.kokoro", "KokoroTTSService", "tts"),
    ("piopiy.services.opensource.orpheus.tts", "OrpheusTTS", "tts"),
    ("piopiy.services.opensource.dia.tts", "DiaTTSService", "tts"),
    ("piopiy.services.opensource.voxtral.stt", "VoxtralSTTService", "stt"),
    ("piopiy.services.opensource.ultravox.stt", "UltravoxSTTService", "stt"),
    ("piopiy.opensource.vibevoice.tts", "OpenVibeVoiceTTSService", "tts"),
    ("piopiy.services.lmnt.tts", "LmntTTSService", "tts"),
    ("piopiy.services.playht.tts", "PlayHTTTSService", "tts"),
    ("piopiy.services.openpipe.llm", "OpenPipeLLMService", "llm"),
]


@pytest.fixture(autouse=True)
def alias(monkeypatch):
    with piopiy_names(monkeypatch):
        yield


def run(create_session, **options):
    return asyncio.run(simulate(create_session, CALLER, **options))


def session_with(**placed):
    async def create_session():
        from piopiy.voice_agent import VoiceAgent

        agent = VoiceAgent(instructions="x", greeting="Hello.")
        parts = dict(zip(("stt", "llm", "tts"), offline_stack(), strict=True))
        await agent.configure(**{**parts, **{kind: make() for kind, make in placed.items()}})
        await agent.start()

    return create_session


@pytest.mark.parametrize(("module", "name", "kind"), PLACEHOLDERS)
def test_a_placeholder_can_be_replaced_and_says_so_when_it_is_not(module, name, kind):
    service = getattr(importlib.import_module(module), name)
    params = service.InputParams(language="en", speed=1.2)

    def make():
        return service("model", server_url="ws://localhost:8766", voice_id="a", params=params)

    n = ("stt", "llm", "tts").index(kind)
    call = run(session_with(**{kind: make}), replace={kind: lambda: offline_stack()[n]})
    assert call.raise_for_error().end_reason == "caller_hung_up"
    assert len(call.transcript) >= 3

    call = run(session_with(**{kind: make}))
    with pytest.raises(ServiceError, match=rf"{kind}={name}.*{module}\.{name}.*replace="):
        call.raise_for_error()


def test_an_omni_placeholder_is_replaced_by_a_realtime_model():
    """As in the SDK's hybrid examples, with their interruption strategy and no stt."""
    from piopiy.audio.interruptions.min_words_interruption_strategy import (
        MinWordsInterruptionStrategy,
    )
    from piopiy.opensource.ultravox.llm import OpenUltravoxLLM
    from piopiy.opensource.vibevoice.tts import OpenVibeVoiceTTSService
    from piopiy.services.opensource.ultravox.omni import UltravoxService
    from piopiy.voice_agent import VoiceAgent

    def hybrid(llm_class):
        async def create_session():
            agent = VoiceAgent(instructions="x", greeting="Hello.")
            await agent.configure(
                llm=llm_class(server_url="ws://localhost:8766", temperature=0.7),
                tts=OpenVibeVoiceTTSService(server_url="ws://localhost:8765", sample_rate=24000),
                allow_interruptions=True,
                interruption_strategy=MinWordsInterruptionStrategy(min_words=1),
            )
            await agent.start()

        return create_session

    stands = {"llm": lambda: offline_realtime(speaks=False), "tts": lambda: offline_stack()[2]}
    for llm_class in (UltravoxService, OpenUltravoxLLM):
        call = run(hybrid(llm_class), replace=stands)
        assert call.raise_for_error().end_reason == "caller_hung_up"
        assert any("two" in entry.text for entry in call.transcript if entry.role == "user")


@pytest.mark.parametrize("name", ["module", "no_such_thing", "__wrapped__"])
def test_what_is_no_class_is_no_placeholder(name):
    module = importlib.import_module("piopiy.services.opensource.orpheus.tts")
    assert not hasattr(module, name)


def test_what_pipecat_has_moved_is_where_it_was():
    from piopiy.services.ai_services import STTService
    from piopiy.transports.services.livekit import LiveKitTransport
    from piopiy.turns.mute import AlwaysUserMuteStrategy
    from pipecat.services.stt_service import STTService as Hears
    from pipecat.transports.livekit.transport import LiveKitTransport as Now
    from pipecat.turns.user_mute import AlwaysUserMuteStrategy as Mutes

    assert (LiveKitTransport, AlwaysUserMuteStrategy, STTService) == (Now, Mutes, Hears)
    assert importlib.util.find_spec("piopiy.services.openai_realtime.events") is not None


@pytest.mark.parametrize("name", piopiy_alias.GONE)
def test_what_is_gone_says_where_to(name):
    with pytest.raises(ModuleNotFoundError, match="any more: ") as error:
        importlib.import_module(name)
    assert error.value.name == name


def test_names_beside_the_agent_and_the_transport():
    from piopiy.agent import logger
    from piopiy.transports.services.telecmi import TelecmiParams, TelecmiTransportClient

    from piopiy_lab.transports.room_client import RoomClient

    assert isinstance(logger, logging.Logger)
    assert logger.name == "piopiy_lab.agent"
    assert TelecmiTransportClient is RoomClient  # so a patch of it acts
    assert callable(TelecmiTransportClient.publish_audio)
    params = TelecmiParams(vad_enabled=True, vad_audio_passthrough=True, audio_in_enabled=True)
    assert params.vad_enabled is True
    with pytest.raises(ValueError, match="camera_out_enabled is video_out_enabled"):
        TelecmiParams(camera_out_enabled=True)


def test_vad_enabled_is_taken_and_said_nothing_of():
    async def create_session():
        from piopiy.transports.services.telecmi import TelecmiParams
        from piopiy.voice_agent import VoiceAgent

        agent = VoiceAgent(instructions="x", greeting="Hello.")
        stt, llm, tts = offline_stack()
        params = TelecmiParams(vad_enabled=True)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, telecmi_params=params)
        await agent.start()

    call = run(create_session)
    assert call.raise_for_error().end_reason == "caller_hung_up"
    assert not call.events.of(events.NoticeGiven)


@pytest.mark.parametrize("awaited", [True, False])
def test_agent_action_may_be_left_unawaited(awaited):
    async def create_session():
        from piopiy.voice_agent import VoiceAgent

        agent = VoiceAgent(instructions="x", greeting="Hello.")
        stt, llm, tts = offline_stack()
        action = agent.AgentAction(stt=stt, llm=llm, tts=tts, vad=True)
        if awaited:
            await action
        await agent.start()

    call = run(create_session)
    assert call.raise_for_error().end_reason == "caller_hung_up"
    assert len(call.transcript) >= 3


def test_an_agent_action_that_is_wrong_is_told_when_the_agent_starts():
    async def create_session():
        from piopiy.voice_agent import VoiceAgent

        agent = VoiceAgent(instructions="x", greeting="Hello.")
        agent.AgentAction(llm=offline_stack()[1], vad=7)
        await agent.start()

    with pytest.raises(Exception, match="missing stt"):
        run(create_session).raise_for_error()


def test_the_conversation_can_be_read_when_the_call_is_over():
    kept = []

    async def create_session():
        from piopiy.voice_agent import VoiceAgent

        agent = VoiceAgent(instructions="x", greeting="Hello.")
        assert agent.context_aggregator is None
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()
        context = agent.context_aggregator.user().context
        assert agent.context_aggregator.assistant().context is context
        kept.extend((m["role"], m["content"]) for m in context.messages)

    run(create_session).raise_for_error()
    assert kept[0] == ("assistant", "Hello.")
    assert kept[1] == ("user", "a table for two tomorrow at seven")
    assert kept[2][0] == "assistant"


def test_every_variable_of_the_catalogue_has_a_placeholder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    named = {v for entry in catalog().entries.values() for v in entry.env.values()}
    named |= {"AZURE_SPEECH_KEY", "AZURE_SPEECH_REGION", "AZURE_OPENAI_REALTIME_URL"}
    for name in [*named, "AWS_PROFILE"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    before = dict(os.environ)
    with placeholder_keys():
        assert not [name for name in sorted(named) if not os.environ.get(name)]
        assert os.environ["OPENAI_API_KEY"] == "sk-mine"
        assert os.environ["AZURE_CHATGPT_ENDPOINT"].startswith("https://")
    assert dict(os.environ) == before
    monkeypatch.setenv("AWS_PROFILE", "mine")  # a client that finds its own keeps it
    with placeholder_keys():
        assert "AWS_ACCESS_KEY_ID" not in os.environ


# --- beside PyPI's piopiy ----------------------------------------------------------------------

REST_CLIENT = {
    "piopiy/__init__.py": "from .voice import RestClient, hangup_action\n",
    "piopiy/underscore/__init__.py": "TWICE = 2\n",
    "piopiy/voice/__init__.py": "from .client import RestClient, hangup_action\n",
    "piopiy/voice/client.py": (
        "from ..underscore import TWICE\n"
        "class RestClient:\n    def __init__(self, token): self.token = token * TWICE\n"
        "def hangup_action(): return 'bye'\n"
    ),
    "piopiy_voice/__init__.py": "from piopiy import RestClient, hangup_action\n",
}
BOTH = """
from piopiy.agent import Agent
from piopiy.voice_agent import VoiceAgent
from piopiy.services.openai.llm import OpenAILLMService
from piopiy_voice import RestClient
from piopiy.voice import RestClient as Same
from piopiy import RestClient as Named, VoiceAgent as Ours, hangup_action
import piopiy, piopiy.voice.client
assert RestClient is Same is Named is piopiy.voice.client.RestClient
assert RestClient("ab").token == "abab" and hangup_action() == "bye"
assert Agent.__module__ == "piopiy_lab.agent" and Ours is VoiceAgent
try:
    from piopiy import no_such_name
except ImportError as error:
    assert "no_such_name" in str(error)
else:
    raise AssertionError
"""


def in_a_process(tmp_path, files, code):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-W", "always::UserWarning:__main__", "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{EXAMPLES.parent.parent}"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize("first", ["", "import piopiy_voice\n", "import piopiy.voice\n"])
def test_the_rest_client_and_ours_are_imported_side_by_side(tmp_path, first):
    code = f"""
{first}
from piopiy_lab import piopiy_alias
assert piopiy_alias.enable() is True
{BOTH}
assert piopiy_alias.enable() is True
piopiy_alias.disable()
import piopiy
assert piopiy.RestClient and not hasattr(piopiy, "VoiceAgent")
print("fine")
"""
    out, errors = in_a_process(tmp_path, REST_CLIENT, code)
    assert (out, errors) == ("fine", "")


def test_an_enable_that_does_nothing_says_so(tmp_path):
    sdk = {**REST_CLIENT, "piopiy/agent.py": "class Agent: pass\n"}
    code = """
from piopiy_lab import piopiy_alias
print(piopiy_alias.enable())
from piopiy.agent import Agent
print(Agent.__module__)
"""
    out, errors = in_a_process(tmp_path, sdk, code)
    assert out.split() == ["False", "piopiy.agent"]
    assert "enable() did nothing: another 'piopiy' is installed" in errors
    assert "enable(force=True)" in errors
