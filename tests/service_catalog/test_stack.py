"""``stack()``: what it makes of names, and what it says when it can't."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest
from stack_keys import CARTESIA, DEEPGRAM, OPENAI

from piopiy_lab import Caller, VoiceAgent, simulate, stack
from piopiy_lab.errors import (
    ArgumentError,
    ArgumentTypeError,
    MissingExtraError,
    MissingKeyError,
    ServiceError,
)
from piopiy_lab.service_catalog.entries import catalog

# --- what is made ----------------------------------------------------------------------------


def test_three_names_are_three_services(three_keys, monkeypatch):
    from pipecat.services.deepgram import stt as deepgram

    given = []

    class Client(deepgram.AsyncDeepgramClient):
        def __init__(self, **arguments):
            given.append(arguments["api_key"])
            super().__init__(**arguments)

    monkeypatch.setattr(deepgram, "AsyncDeepgramClient", Client)
    made = stack("deepgram+openai+cartesia")
    stt, llm, tts = made
    assert [type(one).__name__ for one in made] == [
        "DeepgramSTTService",
        "OpenAILLMService",
        "CartesiaTTSService",
    ]
    assert (made.stt, made.llm, made.tts) == (stt, llm, tts)
    assert dict(**made) == {"stt": stt, "llm": llm, "tts": tts}
    assert len(made) == 3
    assert not made.needs_vad
    assert given == [DEEPGRAM]
    assert llm._client.api_key == OPENAI
    assert tts._api_key == CARTESIA


def test_the_part_behind_the_slash_is_the_model_or_the_voice(three_keys):
    made = stack(stt="deepgram/nova-2", llm="openai/gpt-4o-mini", tts="cartesia/some-voice")
    assert made.stt._settings.model == "nova-2"
    assert made.llm._settings.model == "gpt-4o-mini"
    assert made.tts._settings.voice == "some-voice"
    assert repr(made) == (
        "<Stack stt=deepgram/nova-2 llm=openai/gpt-4o-mini tts=cartesia/some-voice>"
    )


def test_options_are_settings_or_simple_arguments(three_keys):
    made = stack(
        "deepgram/nova-3?language=de&smart_format=true&keyterm=Piopiy,pipecat"
        "+openai/gpt-4o-mini?temperature=0.2&max_tokens=80&base_url=http://127.0.0.1:9/v1"
        "+cartesia/abc?model=sonic-2&speed=0.9&sample_rate=16000"
    )
    assert made.stt._settings.language == "de"
    assert made.stt._settings.smart_format is True
    assert made.stt._settings.keyterm == ["Piopiy", "pipecat"]
    assert made.llm._settings.temperature == 0.2
    assert made.llm._settings.max_tokens == 80
    assert str(made.llm._client.base_url) == "http://127.0.0.1:9/v1/"
    assert made.tts._settings.model == "sonic-2"
    assert made.tts._settings.generation_config.speed == 0.9
    assert made.tts._init_sample_rate == 16000


def test_a_model_may_have_slashes_and_an_escaped_plus(monkeypatch, three_keys):
    monkeypatch.setenv("OPENROUTER_API_KEY", "or-1")
    made = stack("deepgram+openrouter/meta-llama/llama-3.3-70b%2Bplus+cartesia")
    assert made.llm._settings.model == "meta-llama/llama-3.3-70b+plus"


def test_variables_can_hold_the_voice_and_the_part_wins(monkeypatch, three_keys):
    monkeypatch.setenv("CARTESIA_VOICE_ID", "from-variable")
    assert stack("deepgram+openai+cartesia").tts._settings.voice == "from-variable"
    assert stack("deepgram+openai+cartesia/named").tts._settings.voice == "named"


def test_one_provider_can_be_all_three(three_keys):
    made = stack("openai")
    assert {part.name for part in made.parts.values()} == {"openai"}
    assert made.needs_vad
    assert made.stt.needs_vad
    assert "needs vad=True" in repr(made)


def test_a_realtime_llm_stands_alone(three_keys):
    made = stack("openai-realtime/gpt-realtime?voice=marin")
    stt, llm, tts = made
    assert stt is None
    assert tts is None
    assert llm.service_metadata_frame().is_realtime_service
    assert list(made.keys()) == ["llm"]
    properties = llm._settings.session_properties
    assert properties.audio.output.voice == "marin"
    assert properties.output_modalities is None  # it speaks


def test_a_realtime_llm_with_a_tts_writes(three_keys):
    stt, llm, tts = stack("openai-realtime+cartesia")
    assert stt is None
    assert type(tts).__name__ == "CartesiaTTSService"
    assert llm._settings.session_properties.output_modalities == ["text"]


def test_gemini_live_with_a_tts_writes(monkeypatch, three_keys):
    pytest.importorskip("google.genai")
    monkeypatch.setenv("GOOGLE_API_KEY", "g-1")
    assert stack("gemini-live").llm._settings.modalities.value == "AUDIO"
    assert stack("gemini-live+cartesia").llm._settings.modalities.value == "TEXT"


def test_ours_mix_with_a_providers(three_keys):
    made = stack("offline+openai+offline/en-us+f3".replace("us+", "us%2B"))
    assert [type(one).__name__ for one in made] == [
        "PhraseSTTService",
        "OpenAILLMService",
        "EspeakTTSService",
    ]
    assert made.tts._settings.voice == "en-us+f3"
    assert made.needs_vad


def test_offline_takes_a_domain():
    made = stack("offline", offline={"replies": {"hello there": "Hi."}})
    assert list(made.parts) == ["stt", "llm", "tts"]
    assert made.stt.needs_vad
    with pytest.raises(ArgumentError, match="phraces"):
        stack("offline", offline={"phraces": []})
    with pytest.raises(ArgumentTypeError, match="mapping"):
        stack("offline", offline=["hello"])


def test_a_service_of_ones_own_mixes_in(three_keys):
    from pipecat.services.openai.llm import OpenAILLMService

    mine = OpenAILLMService(api_key="other")
    made = stack(stt="deepgram", llm=mine, tts="cartesia")
    assert made.llm is mine
    assert "llm=OpenAILLMService/gpt-4.1" in repr(made)


def test_one_kind_alone_is_for_a_switcher(three_keys):
    made = stack(tts="cartesia/other")
    assert list(made.keys()) == ["tts"]
    assert made.tts._settings.voice == "other"
    assert stack(llm="openai/gpt-4o-mini").llm._settings.model == "gpt-4o-mini"


def test_the_offline_stand_in_for_a_realtime_llm():
    alone = stack("offline-realtime")
    assert (alone.stt, alone.tts) == (None, None)
    assert alone.llm.speaks
    assert alone.needs_vad
    stt, llm, tts = stack("offline-realtime+offline", offline={"replies": {"hello there": "Hi."}})
    assert stt is None
    assert not llm.speaks
    assert type(tts).__name__ == "EspeakTTSService"


@pytest.mark.parametrize("name", ["azure-voice-live", "inworld-realtime"])
def test_what_an_option_doesnt_name_stays_as_pipecat_has_it(monkeypatch, three_keys, name):
    """The session's properties are one field, with pipecat's defaults in it."""
    entry = catalog().find("llm", name)
    for variable in entry.env.values():
        monkeypatch.setenv(variable, "wss://127.0.0.1:9" if "ENDPOINT" in variable else "k-123")
    speaking = stack(name).llm._settings.session_properties
    writing = stack(f"{name}+cartesia").llm._settings.session_properties
    field = next(iter(entry.text_settings["session_properties"]))
    assert getattr(writing, field) == ["text"]
    assert writing.model_dump(exclude={field}) == speaking.model_dump(exclude={field})


def test_services_are_made_fresh(three_keys):
    first, second = stack("deepgram+openai+cartesia"), stack("deepgram+openai+cartesia")
    assert all(a is not b for a, b in zip(first, second, strict=True))


# --- keys ------------------------------------------------------------------------------------


def test_keys_come_from_a_dotenv_above_and_go_nowhere_else(tmp_path):
    (tmp_path / "work" / ".env").write_text(
        f"# keys\nexport DEEPGRAM_API_KEY={DEEPGRAM}\nOPENAI_API_KEY='{OPENAI}'\n"
        f'CARTESIA_API_KEY="{CARTESIA}"\nEMPTY=\n',
        encoding="utf-8-sig",
    )
    before = dict(os.environ)
    made = stack("deepgram+openai+cartesia")
    assert made.llm._client.api_key == OPENAI
    assert made.tts._api_key == CARTESIA
    assert dict(os.environ) == before


def test_a_variable_of_the_process_wins_over_the_file(tmp_path, three_keys):
    file = tmp_path / "keys.env"
    file.write_text("OPENAI_API_KEY=sk-of-the-file\nXAI_API_KEY=x\n")
    assert stack("deepgram+openai+cartesia", env_file=file).llm._client.api_key == OPENAI
    assert stack("deepgram+xai+cartesia", env_file=str(file)).llm._client.api_key == "x"


def test_a_dotenv_that_cant_be_read_is_named_and_not_shown(tmp_path):
    file = tmp_path / "work" / "deep" / ".env"
    file.write_bytes(b"OPENAI_API_KEY=sk-leak\xff\xfe\n")
    with pytest.raises(ArgumentError, match=r"deep.*\.env.*UTF-8") as caught:
        stack("offline")
    assert "sk-leak" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(ArgumentError, match="nowhere"):
        stack("offline", env_file=tmp_path / "nowhere")
    with pytest.raises(ArgumentTypeError, match="int"):
        stack("offline", env_file=3)


def test_a_missing_key_says_the_variable_and_where_to_get_it():
    with pytest.raises(MissingKeyError) as caught:
        stack("deepgram+openai+cartesia")
    assert caught.value.variables == ("DEEPGRAM_API_KEY",)
    assert str(caught.value) == (
        "stt 'deepgram' (Deepgram) needs DEEPGRAM_API_KEY, which is not set: put it into the "
        "environment or a .env file; get it at https://console.deepgram.com"
    )
    assert isinstance(caught.value, LookupError)


def test_an_empty_variable_is_not_set(monkeypatch, three_keys):
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with pytest.raises(MissingKeyError, match="OPENAI_API_KEY"):
        stack("deepgram+openai+cartesia")


def test_a_simulations_placeholder_is_no_key(three_keys):
    from piopiy_lab.simulation.placeholder_keys import placeholder_keys

    with placeholder_keys(), pytest.raises(MissingKeyError, match="XAI_API_KEY"):
        stack("deepgram+xai+cartesia")


def test_a_voice_without_a_default_is_asked_for(monkeypatch, three_keys):
    monkeypatch.setenv("NEUPHONIC_API_KEY", "n")
    with pytest.raises(MissingKeyError, match=r"'neuphonic/<voice>', or set NEUPHONIC_VOICE_ID"):
        stack("deepgram+openai+neuphonic")
    assert stack("deepgram+openai+neuphonic/v1").tts._settings.voice == "v1"
    monkeypatch.setenv("NEUPHONIC_VOICE_ID", "v2")
    assert stack("deepgram+openai+neuphonic").tts._settings.voice == "v2"


def test_no_key_is_ever_shown(monkeypatch, three_keys, capfd):
    seen = [repr(stack("deepgram+openai+cartesia")), str(stack("openai-realtime"))]
    monkeypatch.setattr(
        "pipecat.services.openai.llm.OpenAILLMService.__init__",
        lambda self, **kw: (_ for _ in ()).throw(ValueError(f"bad key {kw['api_key']}")),
    )
    with pytest.raises(ServiceError, match="bad key") as caught:
        stack("deepgram+openai+cartesia")
    seen += [str(caught.value), repr(caught.value), repr(caught.value.__cause__)]
    with pytest.raises(ArgumentError) as caught:
        stack("openai?api_key=sk-leak0011223344556677")
    seen += [str(caught.value), *capfd.readouterr()]
    assert not [text for text in seen if "leak" in text]


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("deepgrm+openai+cartesia", "'deepgrm': did you mean 'deepgram'"),
        ("deepgram+opnai+cartesia", "did you mean 'openai'"),
        ("elevenlab+openai+cartesia", "did you mean 'elevenlabs'"),
        ("zzzzzz+openai+cartesia", r"stacks\('stt'\) lists the names"),
        ("deepgram+deepgram+cartesia", "'deepgram' is no llm .* it can be stt or tts"),
        ("anthropic+openai+cartesia", "'anthropic' is no stt .* it can be llm"),
        ("deepgram+openai+ultravox", "'ultravox' is no tts"),
        ("deepgram+openai", "'deepgram' is no llm"),
        ("openai+cartesia", r"lacks stt: 'openai' takes text .* openai-realtime"),
        ("deepgram", "'deepgram' is stt and tts only, and a call needs all three"),
        ("anthropic", "'anthropic' is llm only"),
        ("a+b+c+d", "has 4 parts"),
        ("deepgram++cartesia", "names no service"),
        ("", "names no service"),
        ("  ", "names no service"),
        ("/nova-3+openai+cartesia", "names no service"),
        ("offline/en-us", "'offline' takes no model"),
        ("auto/x", "chooses"),
        ("openai/gpt-4o", "say what the model is of"),
        ("xai-realtime+cartesia", "always speaks itself"),
        ("nvidia-omni", "doesn't speak itself"),
        ("deepgram?nova-3+openai+cartesia", "'nova-3' is no name=value"),
        ("deepgram?colour=red+openai+cartesia", "no option 'colour': there is .*language"),
        ("deepgram+openai?temperature=hot+cartesia", "temperature can't be 'hot'"),
        ("deepgram?auth_token=x+openai+cartesia", "doesn't belong in a stack's name"),
    ],
)
def test_what_is_wrong_is_said(monkeypatch, three_keys, given, said):
    monkeypatch.setenv("XAI_API_KEY", "x")
    monkeypatch.setenv("NVIDIA_API_KEY", "n")
    with pytest.raises(ArgumentError, match=f"(?s){said}"):
        stack(given)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"stt": "deepgram", "llm": "openai"}, ArgumentError, "lacks tts"),
        ({"llm": "openai", "tts": "cartesia"}, ArgumentError, "lacks stt"),
        ({"stt": "deepgram", "llm": "openai-realtime"}, ArgumentError, "lacks tts"),
        ({"tts": "offline-realtime"}, ArgumentError, "no service is called"),
        ({"stt": 3, "llm": "openai", "tts": "cartesia"}, ArgumentTypeError, "stt=int"),
        ({}, ArgumentError, "given nothing"),
        ({"stt": "offline", "llm": "openai", "tts": "cartesia", "offline": {}}, None, ""),
        ({"llm": "openai-realtime", "offline": {}}, ArgumentError, "no part .* is 'offline'"),
    ],
)
def test_keywords_are_checked_too(three_keys, given, error, said):
    if error is None:
        assert stack(**given).llm is not None
        return
    with pytest.raises(error, match=said):
        stack(**given)


def test_names_and_keywords_dont_mix(three_keys):
    with pytest.raises(ArgumentError, match="not both"):
        stack("deepgram+openai+cartesia", llm="xai")
    with pytest.raises(ArgumentTypeError, match="give a text"):
        stack(3)


def test_a_missing_extra_has_the_install_line(monkeypatch):
    monkeypatch.setattr(
        "piopiy_lab.service_catalog.making.missing_packages", lambda entry: ["kokoro-onnx>=0.5"]
    )
    with pytest.raises(MissingExtraError) as caught:
        stack("offline+ollama+kokoro")
    assert 'pip install "pipecat-ai[ollama]"' in str(caught.value)
    assert "kokoro-onnx>=0.5 not installed" in str(caught.value)
    assert isinstance(caught.value, ImportError)


def test_an_import_that_fails_is_a_missing_extra(monkeypatch, three_keys):
    monkeypatch.setitem(sys.modules, "pipecat.services.deepgram.stt", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"pipecat-ai\[deepgram\]\""):
        stack("deepgram+openai+cartesia")


def test_what_this_system_cant_have_is_said(monkeypatch, three_keys):
    monkeypatch.setattr("piopiy_lab.service_catalog.making.unsupported", lambda entry: True)
    with pytest.raises(ServiceError, match="leave this Python or system out"):
        stack("deepgram+openai+cartesia")


# --- auto ------------------------------------------------------------------------------------


def test_auto_without_any_key_is_ours_and_says_why():
    made = stack("auto")
    assert {part.name for part in made.parts.values()} == {"offline"}
    assert made.reasons["stt"].startswith("it hears the phrases that it is given")
    assert "not deepgram (no DEEPGRAM_API_KEY)" in repr(made)
    assert repr(made) == repr(stack("auto"))


def test_auto_takes_what_has_a_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI)
    monkeypatch.setenv("DEEPGRAM_API_KEY", DEEPGRAM)
    made = stack("auto")
    assert [part.name for part in made.parts.values()] == ["deepgram", "openai", "deepgram"]
    assert (
        made.reasons["llm"]
        == "OPENAI_API_KEY is set and it is installed, and it is the first choice"
    )
    assert "before it come cartesia (no CARTESIA_API_KEY), elevenlabs" in made.reasons["tts"]
    assert "leak" not in repr(made)


def test_auto_fills_a_single_part(three_keys):
    made = stack(stt="auto", llm="offline", tts="cartesia")
    assert made.parts["stt"].name == "deepgram"
    assert list(made.reasons) == ["stt"]


def test_auto_passes_over_what_isnt_installed_or_would_download(monkeypatch, tmp_path):
    from piopiy_lab.service_catalog import usable

    monkeypatch.setenv("OPENAI_API_KEY", OPENAI)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a")
    monkeypatch.setattr(
        usable, "missing_packages", lambda e: ["x"] if e.name in ("openai", "anthropic") else []
    )
    monkeypatch.setattr(usable, "unsupported", lambda e: False)
    from piopiy_lab.service_catalog.choosing import choose
    from piopiy_lab.service_catalog.environment import Environment

    assert choose("tts", Environment()).name == "offline"  # kokoro would download
    weights = tmp_path / "home" / ".cache" / "pipecat" / "kokoro-onnx" / "kokoro-v1.0.onnx"
    weights.parent.mkdir(parents=True)
    weights.touch()
    choice = choose("tts", Environment())
    assert choice.name == "kokoro"
    assert choice.reason.startswith("runs here, and its weights are here")
    assert choose("llm", Environment()).name == "offline"


def test_auto_takes_ollama_when_it_answers(monkeypatch):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("OLLAMA_BASE_URL", f"http://127.0.0.1:{port}/v1")
        made = stack("auto")
    assert made.parts["llm"].name == "ollama"
    assert str(made.llm._client.base_url) == f"http://127.0.0.1:{port}/v1/"
    assert stack("auto").parts["llm"].name == "offline"  # it has stopped


# --- every service that is installed here ------------------------------------------------------


def installed():
    from piopiy_lab.service_catalog.installed import missing_packages, unsupported

    return [
        pytest.param(entry, id=f"{entry.kind}-{entry.name}")
        for entry in catalog().entries.values()
        if not missing_packages(entry) and not unsupported(entry) and not entry.weights
    ]


#: Services that know all of their models by name, or whose voices are numbers.
PARTS = {
    "CambTTSService": "147320",
    "SarvamLLMService": "sarvam-105b-conversations",
    "SarvamRealtimeSTTService": "saaras:v4",
    "SarvamSTTService": "saaras:v3",
}


@pytest.mark.parametrize("entry", installed())
def test_every_installed_service_can_be_made_on_a_loop_or_without(
    monkeypatch, google_account, entry
):
    for variable in entry.env.values():
        value = "http://127.0.0.1:9" if variable.endswith(("URL", "ENDPOINT")) else "k-leak-0011"
        value = str(google_account) if variable.endswith("CREDENTIALS") else value
        monkeypatch.setenv(variable, value)
    for field in entry.required:
        monkeypatch.setenv(entry.settings_env[field], "v-1")
    from piopiy_lab.service_catalog.environment import Environment
    from piopiy_lab.service_catalog.making import make
    from piopiy_lab.service_catalog.wanted import Wanted

    def make_it(part="", text_only=False):
        return make(Wanted(entry.kind, entry.name, part), entry, Environment(), text_only=text_only)

    async def on_a_loop(*args, **kw):
        return make_it(*args, **kw)

    def anywhere(*args, **kw):
        if not entry.on_loop:
            return make_it(*args, **kw)
        with pytest.raises(ServiceError, match="inside create_session"):
            make_it(*args, **kw)
        return asyncio.run(on_a_loop(*args, **kw))

    assert type(anywhere()).__name__ == entry.class_name
    if entry.text_settings:
        assert type(anywhere(text_only=True)).__name__ == entry.class_name
    if entry.kind == "llm":
        assert anywhere().service_metadata_frame().is_realtime_service == entry.realtime
    part = PARTS.get(entry.class_name, "11111111-2222-3333-4444-555555555555")
    if not entry.wrap:
        assert str(getattr(anywhere(part)._settings, entry.part)) == part
    assert type(asyncio.run(on_a_loop())).__name__ == entry.class_name


def test_a_service_of_another_loop_is_refused_at_action(monkeypatch, google_account):
    """Google's clients are bound to the loop that they are made on: in a cell, the kernel's."""
    pytest.importorskip("google.cloud.speech")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(google_account))

    async def in_a_cell():
        return stack(stt="google", llm="offline", tts="offline")

    made = asyncio.run(in_a_cell())

    async def create_session():
        agent = VoiceAgent(instructions="Say hello.")
        await agent.Action(**made, vad=True)
        await agent.start()

    call = asyncio.run(simulate(create_session, Caller().waits(0.1).hangs_up()))
    assert isinstance(call.error, ServiceError)
    assert "make the service inside create_session" in str(call.error)


def test_the_light_ones_are_among_them():
    """The loop above isn't empty: these need no package of their own."""
    names = {param.values[0].name for param in installed()}
    assert {"deepgram", "openai", "cartesia", "elevenlabs", "soniox", "ollama", "minimax"} <= names
    assert len(names) > 40


def test_looking_is_light():
    """Neither the table nor an error imports pipecat or a provider."""
    code = (
        "import sys, piopiy_lab; from piopiy_lab.errors import PiopiyLabError\n"
        "piopiy_lab.stacks()\n"
        "try: piopiy_lab.stack('nope+openai+cartesia')\n"
        "except PiopiyLabError: pass\n"
        "print([m for m in ('deepgram', 'openai', 'google.genai', 'aiohttp', 'numpy') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
