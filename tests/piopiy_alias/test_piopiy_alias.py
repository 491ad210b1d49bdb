"""``import piopiy`` through the hook, and the documentation's examples, unchanged: a matrix."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

import pytest
from example_matrix import (
    EXAMPLES,
    METADATA,
    NAMES,
    caller_of,
    check,
    example,
    offline,
    piopiy_names,
    two_of_each,
)

from piopiy_lab import Agent, Caller, events, piopiy_alias, simulate


@pytest.fixture(autouse=True)
def alias(monkeypatch):
    with piopiy_names(monkeypatch):
        yield


BOOKS = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .hears("name")
    .says("the name is oliver")
    .hears_reply()
    .says("yes please")
    .expects_tool("book_table")
    .hears_reply()
    .hangs_up()
)


@pytest.mark.parametrize("name", NAMES)
async def test_examples_on_a_scripted_caller(name):
    module = example(name)
    call = await simulate(
        module.create_session, caller_of(name), replace=offline(name), metadata=json.dumps(METADATA)
    )
    call.raise_for_error()
    check(name, module, call)
    notices = [event.message for event in call.events.of(events.NoticeGiven)]
    if name == "telecmi_params":
        assert notices == ["telecmi_params: audio_out_queue_size_ms act on the phone only"]


async def test_a_tools_result_that_is_returned_is_spoken():
    module = example("tools")
    call = await simulate(module.create_session, BOOKS, replace=offline("tools"))
    call.raise_for_error()
    assert module.booked == [call.tool_calls[0].arguments]
    assert call.tool_calls[0].result == {"status": "booked", "reference": "R-7"}


async def test_the_switching_example_switches_both_by_hand_and_goes_on():
    module = example("switching")
    call = await simulate(module.create_session, BOOKS, replace=two_of_each(module))
    call.raise_for_error()
    assert len(call.events.of(events.ServiceSwitched)) == 2


# --- the hook --------------------------------------------------------------------------------


def test_names_resolve_to_pipecats_and_ours():
    import piopiy.frames.frames
    import piopiy.services.openai.llm
    import pipecat.frames.frames
    import pipecat.services.openai.llm
    from piopiy import Agent as Named
    from piopiy.adapters.schemas.tools_schema import ToolsSchema
    from piopiy.agent import TOKEN_CTX
    from piopiy.audio.interruptions.base_interruption_strategy import BaseInterruptionStrategy
    from piopiy.pipeline.service_switcher import ServiceSwitcher
    from piopiy.services.mcp_service import MCPClient, StdioServerParameters
    from piopiy.services.ollama.llm import OllamaLLMService
    from piopiy.transports.base_transport import TransportParams
    from piopiy.transports.services.telecmi import TelecmiTransport

    from piopiy_lab.transports.telecmi import TelecmiTransport as Ours

    assert piopiy.frames.frames is pipecat.frames.frames
    assert piopiy.services.openai.llm is pipecat.services.openai.llm
    assert pipecat.frames.frames.__spec__.name == "pipecat.frames.frames"
    assert Named is Agent
    assert TelecmiTransport is Ours
    assert not hasattr(sys.modules["pipecat.transports"], "services")  # pipecat stays as it is
    for thing in (
        ToolsSchema,
        TOKEN_CTX,
        BaseInterruptionStrategy,
        ServiceSwitcher,
        MCPClient,
        StdioServerParameters,
        OllamaLLMService,
        TransportParams,
    ):
        assert thing is not None


def test_what_is_in_neither_is_not_found_by_its_own_name():
    with pytest.raises(ModuleNotFoundError, match=r"piopiy\.no_such_part"):
        importlib.import_module("piopiy.no_such_part")
    with pytest.raises(ImportError, match="NoSuchService"):
        exec("from piopiy.services.ollama.llm import NoSuchService")


def test_an_installed_piopiy_stands_unless_forced(tmp_path):
    (tmp_path / "piopiy").mkdir()
    (tmp_path / "piopiy" / "__init__.py").write_text("REAL = True\n")
    code = """
from piopiy_lab import piopiy_alias
assert piopiy_alias.enable() is False
import piopiy
assert piopiy.REAL
assert piopiy_alias.enable() is False
assert piopiy_alias.enable(force=True) is True
import piopiy
assert not hasattr(piopiy, "REAL") and piopiy.Agent
piopiy_alias.disable()
import piopiy
assert piopiy.REAL
print("fine")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{EXAMPLES.parent.parent}"},
    )
    assert done.stdout.strip() == "fine", done.stderr


def test_without_the_hook_there_is_no_piopiy():
    piopiy_alias.disable()
    with pytest.raises(ModuleNotFoundError, match="piopiy"):
        importlib.import_module("piopiy")
    piopiy_alias.enable()
    assert importlib.import_module("piopiy").Agent is Agent
