"""Realtime models on a cassette: OpenAI's and Google's against fakes, and the offline one."""

from __future__ import annotations

import asyncio

import pytest
from cloud_desk import GREETING, SAYS
from realtime_desk import CALLER, GEMINI, OPENAI, Desk
from taped import lines, run, sound

from piopiy_lab import AudioFile, Caller, VoiceAgent, calls_tool, events, offline_realtime
from piopiy_lab.cassette import Cassette
from piopiy_lab.errors import CassetteError
from piopiy_lab.fake_providers import Scenario
from piopiy_lab.offline import EspeakTTSService
from piopiy_lab.session.commands import Say, UserSays
from piopiy_lab.session.session import current_session

BOTH = pytest.mark.parametrize("model", [OPENAI, GEMINI], ids=["openai", "gemini"])
TURNS = pytest.mark.parametrize("manual", [False, True], ids=["server-vad", "own-vad"])
OPENS = Caller().hears("how can I help").hears_reply().says(SAYS[0])
ASKS = OPENS.hears("what name", within=6)
OTHER = "no make it friday"
BARGES = OPENS.interrupts(OTHER, after=0.8).hears("friday", within=6).hears_reply()
WRONG = "wrong-key-in-full-0123456789abcdef"


class Offline:
    """The booking desk on the offline stand-in."""

    def __init__(self, speaks=True, instructions="Book.", **action):
        self.speaks, self.instructions, self.action = speaks, instructions, action

    async def create_session(self):
        agent = VoiceAgent(instructions=self.instructions, greeting=GREETING)
        parts = {} if self.speaks else {"tts": EspeakTTSService()}
        llm = offline_realtime(speaks=self.speaks)
        await agent.Action(**{"llm": llm, "vad": True, **parts, **self.action})
        await agent.start()


def play_twice(desk, caller, folder):
    """Record a call and play it twice; returns the recording and a play."""
    recorded = run(desk.create_session, caller, cassette=folder)
    server = getattr(desk, "server", None)
    assert server is None or server.received or recorded.error
    played = [run(desk.create_session, caller, cassette=folder, record_mode="none") for _ in "12"]
    assert server is None or desk.server.received == []
    assert played[0].end_reason == recorded.end_reason, played[0].error
    assert lines(played[0]) == lines(played[1])
    assert sorted(lines(played[0])) == sorted(lines(recorded))
    assert sound(played[0]) == sound(played[1]) == sound(recorded)
    return recorded, played[0]


def on_it(folder):
    return b"".join(path.read_bytes() for path in folder.iterdir())


@BOTH
@TURNS
def test_a_booking_is_played_and_no_server_is_sent_anything(model, manual, tmp_path):
    desk = Desk(*model, manual=manual, scenario=Scenario.slow(0.3))
    recorded, played = play_twice(desk, CALLER, tmp_path / "tape")
    assert recorded.error is None
    assert [tool.name for tool in played.tool_calls] == ["book_table"]
    assert played.turns[0].total > 0.3
    content = on_it(tmp_path / "tape")
    assert desk.server.key.encode() not in content
    for header in (b"uthorization", b"Bearer", b"api_key", b"X-API-Key", b"x-goog-api-key"):
        assert header not in content


@BOTH
@TURNS
def test_an_interruption_stops_the_played_answer_where_it_comes(model, manual, tmp_path):
    desk = Desk(*model, manual=manual, hears=(SAYS[0], OTHER), speed=1.2)
    _, played = play_twice(desk, BARGES, tmp_path / "tape")
    (cut,) = [entry for entry in played.transcript if entry.interrupted]
    assert cut.role == "assistant"
    assert "under" not in cut.text
    assert played.transcript[-1].text.startswith("On Friday")


@pytest.mark.parametrize("speaks", [True, False], ids=["speech", "hybrid"])
@pytest.mark.parametrize("caller", [CALLER, BARGES], ids=["booking", "barge-in"])
def test_the_offline_stand_in_is_played(speaks, caller, tmp_path, monkeypatch):
    from piopiy_lab.offline.realtime import RuleRealtimeService

    desk = Offline(speaks)
    recorded = run(desk.create_session, caller, cassette=tmp_path / "tape").raise_for_error()
    monkeypatch.setattr(
        RuleRealtimeService, "_find_answer", lambda *args: pytest.fail("the model was asked")
    )
    played = run(desk.create_session, caller, cassette=tmp_path / "tape", record_mode="none")
    assert played.error is None
    assert sorted(lines(played)) == sorted(lines(recorded))
    assert sound(played) == sound(recorded)


def test_a_tools_result_comes_from_the_cassette(tmp_path):
    ran = []

    async def create_session():
        async def open_door(room: str):
            """Open a door."""
            ran.append(room)
            return {"door": room, "number": len(ran)}

        llm = offline_realtime(
            phrases=["open the {room} door"],
            slots={"room": ["kitchen", "garden"]},
            replies={"open the {room} door": calls_tool("open_door", room="{room}")},
        )
        agent = VoiceAgent(instructions="Open doors.", greeting="Hello.", tools=[open_door])
        await agent.Action(llm=llm, vad=True)
        await agent.start()

    caller = Caller().hears_greeting().says("open the kitchen door").hears_reply()
    recorded = run(create_session, caller, cassette=tmp_path / "tape").raise_for_error()
    played = run(create_session, caller, cassette=tmp_path / "tape").raise_for_error()
    assert ran == ["kitchen"]
    assert played.tool_calls[0].result == recorded.tool_calls[0].result
    assert sound(played) == sound(recorded)


@BOTH
def test_what_the_agent_is_told_in_the_call_is_counted_from_and_another_word_is_a_miss(
    model, tmp_path
):
    desk = Desk(*model, manual=True)

    def telling(line):
        async def create_session():
            task = asyncio.create_task(tell())
            await desk.create_session()
            await task

        async def tell():
            session = current_session()
            await session.wait_until_listening()
            await asyncio.sleep(8)
            await session.latest_agent.prepare(Say(line))()
            await asyncio.sleep(4)
            await session.latest_agent.prepare(UserSays(SAYS[1]))()

        return create_session

    caller = OPENS.hears_reply().waits(12).hangs_up()
    tape = tmp_path / "tape"
    recorded = run(telling("One moment, please."), caller, cassette=tape).raise_for_error()
    played = run(telling("One moment, please."), caller, cassette=tape).raise_for_error()
    assert "One moment, please." in str(played.transcript)
    assert sorted(lines(played)) == sorted(lines(recorded))
    assert sound(played) == sound(recorded)
    other = run(telling("One minute, please."), caller, cassette=tape)
    assert isinstance(other.error, CassetteError)
    assert "One minute, please." in str(other.error)


@BOTH
def test_a_tool_that_says_good_bye_and_ends_the_call_ends_it_again(model, tmp_path):
    class Leaving(Desk):
        async def create_session(self):
            async def leave(params):
                """Leave."""
                await params.say("Good bye, and thank you for calling.")
                await params.end_call()

            fake = self._fake(["leave now"], [calls_tool("leave"), "Good bye."])
            async with fake as self.server:
                agent = VoiceAgent(instructions="x", greeting=GREETING, tools=[leave])
                await agent.Action(llm=self._make(self.server, None, True, False), vad=True)
                await agent.start()

    caller = Caller().hears("how can I help").hears_reply().says("leave now").waits(8)
    _, played = play_twice(Leaving(*model, manual=True), caller, tmp_path / "tape")
    assert played.end_reason == "agent_ended"
    assert played.transcript[-1].text == "Good bye, and thank you for calling."


def test_a_replay_of_a_call_that_nobody_had_a_script_for_hangs_on_the_detectors_starts(tmp_path):
    desk = Desk(*GEMINI, manual=True)
    run(desk.create_session, ASKS.hears_reply(), record=tmp_path / "call").raise_for_error()
    file = AudioFile(tmp_path / "call")
    call = run(
        desk.create_session, file, record=tmp_path / "file", cassette=tmp_path / "tape"
    ).raise_for_error()
    again = asyncio.run(call.replay(desk.create_session, cassette=tmp_path / "tape"))
    assert again.divergence is None, str(again)
    assert desk.server.received == []
    assert sound(again.call) == sound(call)


@BOTH
def test_a_failure_is_played_and_no_key_is_on_the_cassette(model, tmp_path):
    desk = Desk(*model, manual=True, key=WRONG)
    play_twice(desk, ASKS, tmp_path / "tape")
    assert WRONG.encode() not in on_it(tmp_path / "tape")


def test_a_play_needs_no_key(tmp_path, monkeypatch):
    import os

    from piopiy_lab.offline import booking_desk

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    desk = Desk(*OPENAI, manual=False)
    recorded = run(desk.create_session, ASKS, cassette=tmp_path / "tape")

    async def keyless():
        from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService

        tools = list(booking_desk().tools)
        agent = VoiceAgent(instructions="Book.", greeting=GREETING, tools=tools)
        await agent.Action(llm=OpenAIRealtimeLLMService(api_key=os.environ["OPENAI_API_KEY"]))
        await agent.start()

    played = run(keyless, ASKS, cassette=tmp_path / "tape", record_mode="none").raise_for_error()
    assert sound(played) == sound(recorded)


# --- where the call is another one -----------------------------------------------------------


@BOTH
@TURNS
def test_an_earlier_interruption_cuts_the_played_answer_earlier(model, manual, tmp_path):
    desk = Desk(*model, manual=manual, hears=(SAYS[0], OTHER), speed=1.2)
    recorded = run(desk.create_session, BARGES, cassette=tmp_path / "tape")
    earlier = OPENS.interrupts(OTHER, after=0.4).hears("friday", within=6).hears_reply()
    played = run(desk.create_session, earlier, cassette=tmp_path / "tape").raise_for_error()
    cuts = [
        next(e for e in call.events.of(events.AgentInterrupted) if e.speaking).at
        - next(e for e in call.events.of(events.CallerSpoke) if e.text == SAYS[0]).end
        for call in (recorded, played)
    ]
    assert cuts[0] - cuts[1] == pytest.approx(0.4, abs=0.1)
    assert played.transcript[-1].text.startswith("On Friday")


def test_an_interruption_that_was_not_there_cuts_the_answer_and_is_said(tmp_path):
    desk = Offline()
    polite = OPENS.hears_reply().says(OTHER).hears("friday", within=6).hears_reply()
    run(desk.create_session, polite, cassette=tmp_path / "tape").raise_for_error()
    cassette = Cassette(tmp_path / "tape", "none")
    played = run(desk.create_session, BARGES, cassette=cassette)
    assert "utterance 2 the agent's answer is cut off, and it was heard to the end" in str(
        cassette.notices
    )
    (cut,) = [entry for entry in played.transcript if entry.interrupted]
    assert "under" not in cut.text


def test_an_answer_that_is_not_interrupted_now_ends_where_it_did_and_is_said(tmp_path):
    desk = Desk(*OPENAI, manual=True, hears=(SAYS[0], OTHER), speed=1.2)
    run(desk.create_session, BARGES, cassette=tmp_path / "tape").raise_for_error()
    cassette = Cassette(tmp_path / "tape", "none")
    played = run(desk.create_session, OPENS.waits(5).hangs_up(), cassette=cassette)
    assert played.error is None
    assert "was interrupted when it was recorded and is not now" in cassette.notices[0]
    assert not [entry for entry in played.transcript if entry.interrupted]


@BOTH
def test_other_words_of_the_caller_are_a_miss(model, tmp_path):
    desk = Desk(*model, manual=False)
    run(desk.create_session, ASKS, cassette=tmp_path / "tape").raise_for_error()
    cassette = Cassette(tmp_path / "tape", "none")
    other = Caller().hears("how can I help").hears_reply().says("a table for four").hears_reply()
    call = run(desk.create_session, other, cassette=cassette)
    assert isinstance(call.error, CassetteError)
    (miss,) = cassette.misses
    assert (miss.kind, miss.asked, miss.recorded) == ("llm", "a table for four", SAYS[0])
    more = run(desk.create_session, ASKS.says("and more").waits(2), cassette=tmp_path / "tape")
    assert "the caller's utterance 2: and more" in str(more.error)


def test_a_turn_that_ends_once_more_is_a_miss(tmp_path):
    desk = Offline()
    run(desk.create_session, OPENS.hears_reply(), cassette=tmp_path / "tape").raise_for_error()
    path = tmp_path / "tape" / "cassette.jsonl"
    path.write_text(path.read_text().replace('["turn_ended", 1, 1]', '["turn_ended", 9, 1]'))
    call = run(desk.create_session, OPENS.hears_reply(), cassette=tmp_path / "tape")
    assert "an end of the caller's turn, number 1 in the utterance 1" in str(call.error)


def test_answers_follow_a_detector_that_waits_longer(tmp_path):
    from pipecat.audio.vad.silero import SileroVADAnalyzer
    from pipecat.audio.vad.vad_analyzer import VADParams

    recorded = run(Offline().create_session, ASKS, cassette=tmp_path / "tape").raise_for_error()

    async def patient():
        detector = SileroVADAnalyzer(params=VADParams(stop_secs=0.5))
        await Offline(vad=detector).create_session()

    played = run(patient, ASKS, cassette=tmp_path / "tape").raise_for_error()
    assert played.turns[0].total - recorded.turns[0].total == pytest.approx(0.3, abs=0.05)
    assert played.transcript[-1].text == recorded.transcript[-1].text


def test_another_prompt_is_played_and_named(tmp_path):
    run(Offline().create_session, ASKS, cassette=tmp_path / "tape").raise_for_error()
    cassette = Cassette(tmp_path / "tape", "none")
    other = Offline(instructions="Ask for a deposit.")
    run(other.create_session, ASKS, cassette=cassette).raise_for_error()
    (notice,) = cassette.notices
    assert "the old prompt's answers" in notice


def test_what_a_realtime_model_can_not_be_asked_is_refused(tmp_path):
    desk = Offline()
    run(desk.create_session, ASKS, cassette=tmp_path / "tape").raise_for_error()
    new = run(desk.create_session, ASKS, cassette=tmp_path / "tape", record_mode="new_episodes")
    assert isinstance(new.error, CassetteError)
    assert "keeps the conversation itself" in str(new.error)


def test_another_way_to_find_turns_is_refused(tmp_path):
    desk, other = (Desk(*OPENAI, manual=manual) for manual in (True, False))
    run(desk.create_session, ASKS, cassette=tmp_path / "tape").raise_for_error()
    call = run(other.create_session, ASKS, cassette=tmp_path / "tape")
    assert isinstance(call.error, CassetteError)
    assert "went by the pipeline's detector of turns, and the agent's goes by its own" in str(
        call.error
    )


def test_whether_gemini_finds_turns_itself_is_where_it_was():
    pytest.importorskip("google.genai")
    from pipecat.services.google.gemini_live.llm import GeminiLiveLLMService, GeminiVADParams

    from piopiy_lab.cassette import seams

    off = GeminiLiveLLMService.Settings(vad=GeminiVADParams(disabled=True))
    assert seams.detects_turns(GeminiLiveLLMService(api_key="none"))
    assert not seams.detects_turns(GeminiLiveLLMService(api_key="none", settings=off))


def test_a_model_that_finds_turns_itself_is_a_realtime_one_whatever_it_says_of_itself():
    from pipecat.services.openai.live.llm import OpenAILiveLLMService
    from pipecat.services.openai.llm import OpenAILLMService

    from piopiy_lab.cassette import seams

    assert seams.detects_turns(OpenAILiveLLMService(api_key="none"))
    assert not seams.detects_turns(OpenAILLMService(api_key="none"))


def test_a_cassette_of_a_cascade_has_no_realtime_model(tmp_path):
    run(cassette=tmp_path / "tape")
    call = run(Offline().create_session, ASKS, cassette=tmp_path / "tape")
    assert "no realtime model is on the cassette" in str(call.error)


def test_a_file_is_played_by_time_with_a_notice_and_a_scripts_cassette_is_not_its(tmp_path):
    desk = Desk(*OPENAI, manual=False)
    recorded = run(desk.create_session, ASKS.hears_reply(), record=tmp_path / "call")
    file = AudioFile(tmp_path / "call")
    by_file = run(desk.create_session, file, cassette=tmp_path / "file").raise_for_error()
    cassette = Cassette(tmp_path / "file", "none")
    played = run(desk.create_session, file, cassette=cassette).raise_for_error()
    assert sound(played) == sound(by_file)
    assert "the realtime model's own detector found" in cassette.notices[0]
    assert len(recorded.transcript) == len(played.transcript)
    run(desk.create_session, ASKS, cassette=tmp_path / "script").raise_for_error()
    refused = run(desk.create_session, file, cassette=tmp_path / "script")
    assert isinstance(refused.error, CassetteError)
    assert "what the scripted caller of the recording said" in str(refused.error)
