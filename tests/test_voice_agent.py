"""VoiceAgent's arguments: each works, or is refused early and by name."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.processors.audio.vad_processor import VADProcessor

from piopiy_lab import (
    Caller,
    ServiceSwitcher,
    ServiceSwitcherStrategyManual,
    VoiceAgent,
    calls_tool,
    events,
    offline_realtime,
    offline_stack,
    simulate,
)
from piopiy_lab.errors import (
    ArgumentError,
    ArgumentTypeError,
    ServiceError,
)
from piopiy_lab.transports.telecmi import TelecmiParams

GUEST = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()


def run(create_session, caller=GUEST, **options):
    return asyncio.run(simulate(create_session, caller, **options))


def session(action, **agent_options):
    """A session whose Action() gets what ``action(stt, llm, tts)`` returns."""

    async def create_session():
        agent = VoiceAgent(**{"instructions": "x", "greeting": "Hello.", **agent_options})
        stt, llm, tts = offline_stack()
        await agent.Action(**action(stt, llm, tts))
        await agent.start()

    return create_session


def everything(stt, llm, tts):
    return {"stt": stt, "llm": llm, "tts": tts, "vad": True}


def test_the_signatures_are_the_api_references():
    constructor = inspect.signature(VoiceAgent)
    assert list(constructor.parameters) == [
        "instructions",
        "tools",
        "greeting",
        "idle_timeout_secs",
    ]
    assert constructor.parameters["idle_timeout_secs"].default == 60
    action = list(inspect.signature(VoiceAgent.Action).parameters)[1:]
    assert action[:13] == [
        "stt", "llm", "tts", "tts_switcher", "stt_switcher", "mcp_tools", "vad", "enable_metrics",
        "enable_usage_metrics", "allow_interruptions", "interruption_strategy", "telecmi_params",
        "turn_strategies",
    ]  # fmt: skip
    assert all(
        p.kind is p.KEYWORD_ONLY
        for p in list(inspect.signature(VoiceAgent.Action).parameters.values())[1:]
    )


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"instructions": ""}, ArgumentError, "instructions"),
        ({"instructions": 7}, ArgumentTypeError, "instructions=7"),
        ({"instructions": "x", "greeting": " "}, ArgumentError, "greeting"),
        ({"instructions": "x", "idle_timeout_secs": -1}, ArgumentError, "-1"),
        ({"instructions": "x", "idle_timeout_secs": "60"}, ArgumentTypeError, "'60'"),
        ({"instructions": "x", "tools": ["book"]}, ArgumentTypeError, "FunctionSchema"),
    ],
)
def test_a_wrong_constructor_argument_is_named(options, error, words):
    with pytest.raises(error, match=words):
        VoiceAgent(**options)


@pytest.mark.parametrize(
    ("left_out", "error", "words"),
    [
        ("llm", ArgumentTypeError, "'llm': an llm is required"),
        ("stt", ArgumentError, r"missing stt \(or stt_switcher\)"),
        ("tts", ArgumentError, r"missing tts \(or tts_switcher\)"),
    ],
)
def test_a_missing_service_is_named_at_action(left_out, error, words):
    def action(stt, llm, tts):
        return {k: v for k, v in everything(stt, llm, tts).items() if k != left_out}

    call = run(session(action))
    assert isinstance(call.error, error)
    with pytest.raises(error, match=words):
        call.raise_for_error()


@pytest.mark.parametrize(
    ("vad", "error", "words"),
    [
        ({"stop_sec": 0.3}, ArgumentError, "'stop_sec'.*confidence, start_secs, stop_secs, min_v"),
        ({"confidence": 1.5}, ArgumentError, "confidence=1.5 is out of range.*0 to 1"),
        ({"stop_secs": True}, ArgumentError, "stop_secs=True"),
        (1, ArgumentTypeError, "vad=1"),
        ("yes", ArgumentTypeError, "vad='yes'"),
        (False, ArgumentError, "PhraseSTTService needs voice activity detection"),
    ],
)
def test_a_wrong_vad_is_named_at_action(vad, error, words):
    call = run(session(lambda *s: {**everything(*s), "vad": vad}))
    with pytest.raises(error, match=words):
        call.raise_for_error()


@pytest.mark.parametrize("services", ["stack", "realtime", "switcher", "replaced", "screenplay"])
def test_without_vad_a_stand_in_brings_its_own_detector(services):
    """The API reference's quick example gives none: it runs in the cloud, and so it must here."""

    def action(stt, llm, tts):
        if services == "realtime":
            return {"llm": offline_realtime()}
        if services == "switcher":
            switcher = ServiceSwitcher(services=[stt], strategy_type=ServiceSwitcherStrategyManual)
            return {"stt_switcher": switcher, "llm": llm, "tts": tts}
        return {"stt": stt, "llm": llm, "tts": tts}

    stt, _, _ = offline_stack()
    replace = {"replaced": {"stt": stt}, "screenplay": {"stt": "screenplay"}}.get(services, {})
    call = run(session(action), replace=replace)
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"
    assert any("two" in entry.text for entry in call.transcript if entry.role == "user")
    notices = [n.message for n in call.events.of(events.NoticeGiven) if "no vad=" in n.message]
    assert len(notices) == (services != "screenplay")


def test_a_detector_in_the_room_parameters_is_no_stand_ins_own():
    def action(*services):
        params = TelecmiParams(vad_analyzer=SileroVADAnalyzer())
        return {**everything(*services), "vad": None, "telecmi_params": params}

    call = run(session(action))
    call.raise_for_error()
    assert not any("no vad=" in n.message for n in call.events.of(events.NoticeGiven))


@pytest.mark.parametrize(
    "vad",
    [
        True,
        {"confidence": 0.6, "start_secs": 0.2, "stop_secs": 0.4, "min_volume": 0.5},
        lambda: SileroVADAnalyzer(params=VADParams(stop_secs=0.4)),
        lambda: VADProcessor(vad_analyzer=SileroVADAnalyzer(params=VADParams(stop_secs=0.4))),
    ],
    ids=["True", "dict", "analyzer", "processor"],
)
def test_every_form_of_vad_hears_the_caller(vad):
    def action(*services):
        return {**everything(*services), "vad": vad() if callable(vad) else vad}

    call = run(session(action))
    call.raise_for_error()
    assert [entry.text for entry in call.transcript if entry.role == "user"] == [
        "a table for two tomorrow at seven"
    ]
    wanted = 0.2 if vad is True else 0.4
    assert {event.stop_secs for event in call.events.of(events.UserSpeechStopped)} == {wanted}
    assert call.events.of(events.VADSampled)  # the user's own analyzer is heard too
    assert call.events.of(events.PipelineStarted)[0].vad_params["stop_secs"] == wanted


def test_with_vad_off_transcripts_decide():
    call = run(
        session(lambda stt, llm, tts: {"stt": stt, "llm": llm, "tts": tts}),
        replace={"stt": "screenplay"},
    )
    call.raise_for_error()
    assert call.transcript[1].text == "a table for two tomorrow at seven"
    assert not call.events.of(events.VADSampled)


def test_a_service_in_two_places_is_refused():
    class Both:
        pass

    call = run(session(lambda stt, llm, tts: {"stt": stt, "llm": llm, "tts": stt, "vad": True}))
    with pytest.raises(ArgumentError, match="stt and tts are the same object"):
        call.raise_for_error()
    call = run(session(lambda stt, llm, tts: {"stt": Both(), "llm": llm, "tts": tts}))
    with pytest.raises(ArgumentTypeError, match="stt="):
        call.raise_for_error()


def test_services_of_an_earlier_call_work_again_or_are_refused_with_the_remedy():
    kept = {}

    async def create_session():
        if not kept:
            kept.update(zip(("stt", "llm", "tts"), offline_stack(), strict=True))
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        await agent.Action(**kept, vad=True)
        await agent.start()

    run(create_session).raise_for_error()
    second = run(create_session)
    if second.error is not None:
        with pytest.raises(ServiceError, match="inside create_session"):
            second.raise_for_error()
    else:
        assert second.transcript[1].text == "a table for two tomorrow at seven"


def test_a_service_bound_to_another_loop_is_refused_by_name():
    other = asyncio.new_event_loop()

    def action(stt, llm, tts):
        llm.connection = other.create_future()  # what a client made in another cell may hold
        return everything(stt, llm, tts)

    try:
        call = run(session(action))
        with pytest.raises(
            ServiceError, match=r"llm=.*'connection' of this RuleLLM.*inside create"
        ):
            call.raise_for_error()
    finally:
        other.close()


def test_start_before_action():
    agent = VoiceAgent(instructions="x")
    with pytest.raises(ArgumentError, match="Action"):
        asyncio.run(agent.start())


def test_configure_is_action():
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        stt, llm, tts = offline_stack()
        await agent.configure(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    assert run(create_session).transcript[1].role == "user"


def test_the_greeting_is_heard_first_and_in_the_context():
    call = run(session(everything, greeting="Hello, this is Anna."))
    assert call.transcript[0].text == "Hello, this is Anna."
    roles = [(m["role"], m["content"]) for m in call.context[0]]
    assert roles[:2] == [("system", "x"), ("assistant", "Hello, this is Anna.")]


OPEN = FunctionSchema(
    name="open_door",
    description="Open a door.",
    properties={"room": {"type": "string"}},
    required=["room"],
)
DOORS = {
    "slots": {"room": ["kitchen", "garden"]},
    "replies": {
        "open the {room} door": calls_tool("open_door", room="{room}"),
        "thank you": "You are welcome.",
    },
}


def doors(handler=None, register=None, **options):
    async def create_session():
        agent = VoiceAgent(**{"instructions": "x", "greeting": "Hello.", **options})
        if handler is not None:
            agent.add_tool(OPEN, handler)
        if register is not None:
            agent.register_tool(*register)
        stt, llm, tts = offline_stack(**DOORS)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    return create_session


KNOCK = (
    Caller()
    .hears_greeting()
    .says("open the garden door")
    .expects_tool("open_door", room="garden")
    .hears_reply()
)


async def returns_it(params):
    return f"The {params.args['room']} door is open."


async def calls_back(params):
    await params.result_callback(f"The {params.arguments['room']} door is open.")


def plain(params):
    return f"The {params.args['room']} door is open."


@pytest.mark.parametrize("handler", [returns_it, calls_back, plain])
def test_a_handlers_answer_is_the_result_whichever_way_it_comes(handler):
    call = run(doors(handler), KNOCK)
    call.raise_for_error()
    (tool,) = call.tool_calls
    assert (tool.name, tool.arguments, tool.result) == (
        "open_door",
        {"room": "garden"},
        "The garden door is open.",
    )
    assert call.transcript[-1].text == "The garden door is open."


def test_a_schema_with_register_tool():
    call = run(doors(tools=[OPEN], register=("open_door", returns_it)), KNOCK)
    call.raise_for_error()
    assert call.tool_calls[0].result == "The garden door is open."


def test_a_handler_that_raises_is_an_error_the_llm_sees_and_an_event():
    async def jams(params):
        raise OSError("the door is jammed")

    call = run(doors(jams), KNOCK)
    call.raise_for_error()  # the call goes on
    assert call.tool_calls[0].status == "failed"
    assert "the door is jammed" in str(call.tool_calls[0].error)
    assert any("jammed" in e.message for e in call.events.of(events.ErrorOccurred))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"tools": [OPEN]}, ArgumentError, "open_door.*no handler"),
        ({"register": ("close_door", plain)}, ArgumentError, "close_door.*schema"),
        ({"tools": [OPEN, OPEN]}, ArgumentError, "two tools are named"),
        ({"register": ("open_door", "not a function")}, ArgumentTypeError, "open_door"),
    ],
)
def test_a_tool_without_its_other_half(options, error, words):
    call = run(doors(**options), KNOCK)
    with pytest.raises(error, match=words):
        call.raise_for_error()


def test_add_tool_wants_a_schema():
    with pytest.raises(ArgumentTypeError, match="FunctionSchema"):
        VoiceAgent(instructions="x").add_tool("open_door", plain)


def test_interruptions_can_be_turned_off():
    caller = (
        Caller()
        .hears_greeting()
        .says("a table for two tomorrow at seven")
        .interrupts("my name is anna", after=0.8)
        .hears_reply()
    )
    on = run(session(everything), caller, replace={"stt": "screenplay"})
    off = run(
        session(lambda *s: {**everything(*s), "allow_interruptions": False}),
        caller,
        replace={"stt": "screenplay"},
    )
    assert [e.speaking for e in on.events.of(events.AgentInterrupted)] == [True]
    assert any(entry.interrupted for entry in on.transcript)
    assert off.events.of(events.AgentInterrupted) == []
    assert not any(entry.interrupted for entry in off.transcript)
    off.raise_for_error()


def test_telecmi_rates_apply_off_the_phone():
    class Params:
        audio_in_sample_rate = 8000
        audio_out_sample_rate = 16000
        vad_analyzer = None

    call = run(
        session(lambda *s: {**everything(*s), "telecmi_params": Params()}),
        replace={"stt": "screenplay"},
    )
    call.raise_for_error()
    started = call.events.of(events.PipelineStarted)[0]
    assert (started.audio_in_sample_rate, started.audio_out_sample_rate) == (8000, 16000)
    assert call.transcript[1].text == "a table for two tomorrow at seven"


def test_a_service_whose_key_goes_out_in_the_clear_is_warned_of_once(caplog):
    from pipecat.services.openai.llm import OpenAILLMService

    async def create_session():
        stt, _, tts = offline_stack()
        llm = OpenAILLMService(api_key="abc123secret", base_url="http://llm.invalid/v1")
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        await agent.Action(stt=stt, llm=llm, tts=tts)
        await agent.start()

    for _ in range(2):
        asyncio.run(simulate(create_session, Caller().waits(1))).raise_for_error()
    (told,) = [r.getMessage() for r in caplog.records if "in the clear" in r.getMessage()]
    assert told.startswith("what OpenAILLMService is asked, and its key, is sent in the clear")
    assert "http://llm.invalid" in told
    assert "abc123secret" not in told
