"""The catalog against pipecat's own sources: an upgrade of pipecat can't make it wrong unseen.

Nothing is imported from the services, so it holds for those whose packages aren't installed.
"""

from __future__ import annotations

import ast
import re
from importlib import metadata

import pipecat_sources as sources
import pytest

from piopiy_lab.service_catalog.entries import KINDS, catalog

ENTRIES = [
    pytest.param(entry, id=f"{entry.kind}-{entry.name}") for entry in catalog().entries.values()
]
BASES = {"stt": "STTService", "llm": "LLMService", "tts": "TTSService"}
EXTRAS = set(metadata.metadata("pipecat-ai").get_all("Provides-Extra"))


def short(entry):
    return entry.module.removeprefix("pipecat.services."), entry.class_name


def node_of(entry):
    return sources.classes()[short(entry)]


def is_service(name, node):
    return re.search(r"Service(MLX|REST)?$", name) or "AIService" in sources.ancestors(node)


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_class_is_there_and_of_its_kind(entry):
    assert BASES[entry.kind] in sources.ancestors(node_of(entry))


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_constructor_takes_what_is_passed_and_gets_what_it_needs(entry):
    taken, needed = sources.parameters(node_of(entry))
    passed = {*entry.env, *entry.env_optional, *entry.arguments}
    if entry.http_session:
        passed.add("aiohttp_session")
        assert "aiohttp_session" in taken
    if entry.wrap:
        argument, holder = entry.wrap.split(":")
        wrapper = sources.classes()[short(entry)[0], holder]
        assert passed <= sources.fields(wrapper)
        assert entry.part in sources.fields(wrapper)
        passed = {argument}
    assert passed <= taken, f"unknown to pipecat: {sorted(passed - taken)}"
    certain = passed - set(entry.env_optional)
    assert needed <= certain, f"pipecat needs, and nobody passes: {sorted(needed - certain)}"


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_settings_have_the_fields(entry):
    known = sources.fields(sources.settings_of(node_of(entry)))
    named = {*entry.settings, *entry.settings_env, *entry.required, *entry.text_settings}
    named |= {path.split(".")[0] for path in entry.paths.values()}
    if not entry.wrap:
        named.add(entry.part)
    assert named <= known, f"unknown to pipecat: {sorted(named - known)}"


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_extra_exists(entry):
    assert {one for one in entry.extra.split(",") if one} <= EXTRAS


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_extra_is_the_one_that_the_source_asks_for(entry):
    asked = re.findall(r'"?pipecat-ai\[([\w,-]+)\]"?`', sources.source(short(entry)[0]))
    if entry.class_name == "WhisperSTTService":
        asked.remove("mlx-whisper")
    elif entry.class_name == "WhisperSTTServiceMLX":
        asked.remove("whisper")
    for extra in asked:
        assert extra in entry.extra.split(",")


@pytest.mark.parametrize("entry", ENTRIES)
def test_vad_and_turns_are_told_as_they_are(entry):
    if entry.kind != "stt":
        assert not entry.vad
        assert not entry.ends_turns
        return
    family = sources.ancestors(node_of(entry))
    if "SegmentedSTTService" in family:
        assert entry.vad
    elif entry.vad:  # the provider is told to finish when the detector says so
        assert "VADUserStoppedSpeakingFrame" in sources.source(short(entry)[0])
    told = [one.method("supports_ttfs") for one in sources.family(node_of(entry))]
    told = [ast.unparse(method.body[-1]) for method in told if method is not None]
    by_provider = told[0] == "return False" or "DeepgramFluxSTTBase" in family
    assert entry.ends_turns == by_provider


@pytest.mark.parametrize("entry", ENTRIES)
def test_realtime_is_told_as_it_is(entry):
    body = "".join(
        ast.unparse(one.node) for one in sources.family(node_of(entry)) if one.name != "LLMService"
    )
    assert entry.realtime == bool(re.search(r"is_realtime_service=True", body))
    assert entry.kind == "llm" or not (entry.text_settings or not entry.speaks)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_key_can_be_had_somewhere(entry):
    provider = entry.provider
    needs_key = [v for v in entry.env.values() if re.search(r"KEY|TOKEN|CREDENTIALS", v)]
    if needs_key:
        assert re.fullmatch(r"https://[\w.-]+\.[a-z]+(/[\w./#-]*)?", provider.keys_at)
    assert provider.title
    for variable in (
        *entry.env.values(),
        *entry.env_optional.values(),
        *entry.settings_env.values(),
    ):
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+", variable)


@pytest.mark.parametrize("entry", ENTRIES)
def test_local_services_say_what_they_fetch(entry):
    if not entry.local:
        assert [entry.download, entry.weights, entry.server] == ["", (), ""]
        assert entry.env, "a cloud service without a key?"
    else:
        assert entry.download or entry.env, "a local one downloads, or is a server with an address"


def test_pipecats_own_registry_names_the_same_variables():
    """pipecat's CLI has a list too: where it names a key's variable, ours is the same."""
    loader = pytest.importorskip("pipecat.cli.registry.service_metadata", exc_type=ImportError)
    registry = loader.ServiceRegistry
    by_class = {e.class_name: e for e in catalog().entries.values()}
    checked = 0
    for kind in ("STT", "LLM", "TTS"):
        for service in getattr(registry, f"{kind}_SERVICES"):
            entry = by_class.get(service.class_name[0])
            if entry is None:  # left out, with a reason: the test below
                continue
            if "api_key" in (service.include_params or []) and service.env_prefix != "FAL":
                variables = {*entry.env.values(), *entry.env_optional.values()}
                assert f"{service.env_prefix}_API_KEY" in variables, service.value
                checked += 1
    assert checked > 60


def test_every_service_class_has_an_entry_or_a_reason():
    listed = {short(entry) for entry in catalog().entries.values()}
    left_out = {tuple(address.split(":")) for address in catalog().left_out}
    there = {
        (module, name)
        for (module, name), node in sources.classes().items()
        if "." in module and is_service(name, node)
    }
    assert not listed & left_out
    assert there - listed - left_out == set(), "no entry and no reason"
    assert left_out - there == set(), "left out, and not there any more"
    assert all(reason.strip() for reason in catalog().left_out.values())


@pytest.mark.parametrize("entry", ENTRIES)
def test_pipecat_doesnt_give_the_class_up(entry):
    decorators = [ast.unparse(one) for one in node_of(entry).node.decorator_list]
    assert not [one for one in decorators if "deprecated" in one]


def test_the_ranks_of_auto_are_told_apart():
    for kind in KINDS:
        ranks = [e.auto for e in catalog().entries.values() if e.kind == kind and e.auto]
        assert len(ranks) == len(set(ranks)) > 10


@pytest.mark.parametrize("entry", ENTRIES)
def test_clients_that_are_bound_to_a_loop_are_known(entry):
    """gRPC's asyncio channel is made in the constructor, on the loop of that moment."""
    body = "".join(ast.unparse(one.node) for one in sources.family(node_of(entry)))
    grpc = re.search(r"speech_v2\.SpeechAsyncClient|TextToSpeechAsyncClient", body)
    assert entry.on_loop == (grpc is not None and not entry.arguments.get("use_genai"))
