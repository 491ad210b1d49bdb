"""Another prompt with the model at hand: its answers are compared as they stream."""

from __future__ import annotations

import asyncio

import pytest
from cloud_desk import SAYS, Desk
from taped import lines, run, sound

from piopiy_lab import Caller, VoiceAgent, calls_tool, events, offline_stack
from piopiy_lab.cassette import Cassette
from piopiy_lab.fake_providers import FakeCartesia, FakeDeepgram, FakeOpenAI, Scenario

CALLER = Caller().hears_greeting().says("open the kitchen door").hears_reply()
CALLER = CALLER.says("thank you").hears_reply()


class House:
    """A house with doors, whose language model answers by rules that can be changed."""

    def __init__(self, instructions="You open doors.", opened="The door is open.", **replies):
        self.instructions, self.opened = instructions, opened
        self.thanks = replies.get("thanks", "You are welcome. Call again.")
        self.door = replies.get("door", calls_tool("open_door", room="{room}"))
        self.ran = []

    async def create_session(self):
        stt, llm, tts = offline_stack(
            phrases=["open the {room} door", "thank you"],
            slots={"room": ["kitchen", "garden"]},
            replies={"open the {room} door": self.door, "thank you": self.thanks},
        )

        async def open_door(room: str) -> str:
            """Open a door."""
            self.ran.append(room)
            return self.opened

        agent = VoiceAgent(instructions=self.instructions, greeting="Hello.", tools=[open_door])
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()


def said(call):
    return [(entry.role, entry.text) for entry in call.transcript]


def totals(call):
    return [turn.total for turn in call.turns]


def test_while_the_answers_are_the_same_the_call_is_the_recorded_one(tmp_path):
    recorded = run(House().create_session, CALLER, cassette=tmp_path / "tape")
    recorded.raise_for_error()
    cassette = Cassette(tmp_path / "tape", "new_episodes")
    other = House("You open doors, and are polite.")
    call = run(other.create_session, CALLER, cassette=cassette)
    call.raise_for_error()
    assert said(call) == said(recorded)
    assert totals(call) == pytest.approx(totals(recorded), abs=1e-3)
    assert sound(call) == sound(recorded)
    assert cassette.misses == []
    assert other.ran == []
    (notice,) = cassette.notices
    assert "from turn 1 on the instructions" in notice
    assert "asked with the new ones" in notice
    assert "old prompt" not in notice
    # and the new prompt's answers are on the cassette now
    played = Cassette(tmp_path / "tape", "none")
    again = run(House("You open doors, and are polite.").create_session, CALLER, cassette=played)
    again.raise_for_error()
    assert played.notices == []
    assert sound(again) == sound(recorded)
    old = Cassette(tmp_path / "tape", "none")
    run(House().create_session, CALLER, cassette=old).raise_for_error()
    assert old.notices == []


def test_at_the_first_other_character_the_live_answer_goes_on(tmp_path):
    recorded = run(House().create_session, CALLER, cassette=tmp_path / "tape")
    cassette = Cassette(tmp_path / "tape", "new_episodes")
    curt = House("You are curt.", thanks="You are welcome. Bye.")
    call = run(curt.create_session, CALLER, cassette=cassette)
    call.raise_for_error()
    assert call.transcript[-1].text == "You are welcome. Bye."
    assert said(call)[:-1] == said(recorded)[:-1]
    told = (
        "turn 2: the recorded answer was 'You are welcome. Call again.', and now it is "
        "'You are welcome. Bye.'"
    )
    assert told in cassette.notices
    # the sentence that both have is the cassette's, the other one was asked
    assert [(miss.kind, miss.asked) for miss in cassette.misses] == [("tts", "Bye.")]
    texts = "".join(e.text for e in call.events.of(events.LLMTextGenerated))
    assert texts.count("You are welcome.") == 1
    played = run(curt.create_session, CALLER, cassette=tmp_path / "tape", record_mode="none")
    played.raise_for_error()
    assert said(played) == said(call)


@pytest.mark.parametrize(
    ("door", "now"),
    [
        ("We have no {room}.", "now it is 'We have no kitchen.'"),
        (calls_tool("open_door", room="garden"), "now it is open_door(room='garden')"),
    ],
    ids=["a text for a tool", "other arguments"],
)
def test_other_tool_calls_are_the_live_models(door, now, tmp_path):
    run(House().create_session, CALLER, cassette=tmp_path / "tape").raise_for_error()
    cassette = Cassette(tmp_path / "tape", "new_episodes")
    other = House("You are careful.", door=door)
    call = run(other.create_session, CALLER, cassette=cassette)
    call.raise_for_error()
    told = " ".join(cassette.notices)
    assert "turn 1: the recorded answer was open_door(room='kitchen')" in told
    assert now in told
    assert other.ran == (["garden"] if "garden" in now else [])
    played = run(other.create_session, CALLER, cassette=tmp_path / "tape", record_mode="none")
    played.raise_for_error()
    assert said(played) == said(call)
    assert other.ran == (["garden"] if "garden" in now else [])


def test_a_longer_and_a_shorter_answer_are_heard_whole(tmp_path):
    run(House().create_session, CALLER, cassette=tmp_path / "tape").raise_for_error()
    for thanks in ("You are welcome. Call again. Any time.", "You are welcome."):
        cassette = Cassette(tmp_path / "tape", "new_episodes")
        other = House(f"Say: {thanks}", thanks=thanks)
        call = run(other.create_session, CALLER, cassette=cassette)
        call.raise_for_error()
        assert call.transcript[-1].text == thanks


# --- a provider's model --------------------------------------------------------------------------

LONG = (
    "I have a table by the window. And one by the door. And one in the garden. And a small one "
    "upstairs. Which one do you want?"
)
DELAYS = {"stt": Scenario.late_final(0.3), "llm": Scenario.slow(0.35), "tts": Scenario.slow(0.18)}


class Talker(Desk):
    """A desk on Deepgram, OpenAI and Cartesia, with a prompt and answers of its own."""

    def __init__(self, *answers, instructions="You take bookings.", token_secs=0.05, slow=0.35):
        super().__init__()
        self.answers, self.instructions = answers, instructions
        self.seconds, self.slow = token_secs, slow

    async def create_session(self):
        from pipecat.services.cartesia.tts import CartesiaTTSService
        from pipecat.services.deepgram.stt import DeepgramSTTService
        from pipecat.services.openai.llm import OpenAILLMService

        slow = Scenario.slow(self.slow)
        async with (
            FakeDeepgram(SAYS, scenario=DELAYS["stt"]) as dg,
            FakeOpenAI(list(self.answers), token_secs=self.seconds, scenario=slow) as oa,
            FakeCartesia(scenario=DELAYS["tts"]) as ca,
        ):
            self.openai = oa
            agent = VoiceAgent(instructions=self.instructions, greeting="Hello.")
            await agent.Action(
                stt=DeepgramSTTService(api_key=dg.key, base_url=dg.base_url),
                llm=OpenAILLMService(api_key=oa.key, base_url=oa.base_url),
                tts=CartesiaTTSService(api_key=ca.key, url=ca.url),
                vad=True,
            )
            await agent.start()


TALK = Caller().hears_greeting().says(SAYS[0]).hears_reply().says(SAYS[1]).hears_reply()


def test_no_latency_is_added_while_a_providers_answers_are_the_same(tmp_path):
    first = Talker(LONG, "Thank you, Anna.")
    recorded = run(first.create_session, TALK, cassette=tmp_path / "tape")
    recorded.raise_for_error()
    cassette = Cassette(tmp_path / "tape", "new_episodes")
    again = Talker(LONG, "Thank you, Anna.", instructions="You take bookings, gladly.")
    call = run(again.create_session, TALK, cassette=cassette)
    call.raise_for_error()
    assert len(again.openai.received) == 2  # it was asked
    assert cassette.misses == []
    assert totals(call) == pytest.approx(totals(recorded), abs=0.002)
    assert said(call) == said(recorded)


def test_a_quicker_model_does_not_hurry_the_recorded_answers(tmp_path):
    recorded = run(Talker(LONG, "Bye.").create_session, TALK, cassette=tmp_path / "tape")
    quick = Talker(LONG, "Bye.", instructions="Be quick.", token_secs=0.01, slow=0.05)
    call = run(quick.create_session, TALK, cassette=tmp_path / "tape", record_mode="new_episodes")
    call.raise_for_error()
    assert totals(call) == pytest.approx(totals(recorded), abs=0.002)


def test_a_provider_that_answers_otherwise_is_heard_from_there(tmp_path):
    run(Talker(LONG, "Bye.").create_session, TALK, cassette=tmp_path / "tape").raise_for_error()
    other = LONG.replace("And one in the garden.", "And none in the garden.")
    cassette = Cassette(tmp_path / "tape", "new_episodes")
    talker = Talker(other, "Bye.", instructions="The garden is closed.")
    call = run(talker.create_session, TALK, cassette=cassette)
    call.raise_for_error()
    texts = [entry.text for entry in call.transcript if entry.role == "assistant"]
    assert other in texts
    assert any("And none in the garden." in notice for notice in cassette.notices)
    played = [
        run(talker.create_session, TALK, cassette=tmp_path / "tape", record_mode="none")
        for _ in "12"
    ]
    assert [entry.text for entry in played[0].transcript if entry.role == "assistant"] == texts
    assert lines(played[0]) == lines(played[1])


def test_an_interruption_ends_both(tmp_path):
    caller = Caller().hears_greeting().says(SAYS[0]).interrupts(SAYS[1], after=1.5).hears_reply()
    slowly = {"token_secs": 0.2}
    first = Talker(LONG, "Good bye.", **slowly)
    recorded = run(first.create_session, caller, cassette=tmp_path / "tape")
    recorded.raise_for_error()
    again = Talker(LONG, "Good bye.", instructions="Be kind.", **slowly)
    call = run(again.create_session, caller, cassette=tmp_path / "tape", record_mode="new_episodes")
    call.raise_for_error()
    assert said(call) == said(recorded)
    assert again.openai.cancelled == 1
    assert [e.interrupted for e in call.transcript] == [e.interrupted for e in recorded.transcript]


def test_a_live_model_that_fails_is_no_recorded_answer(tmp_path):
    run(Talker("Yes.", "Bye.").create_session, TALK, cassette=tmp_path / "tape").raise_for_error()

    class Broken(Talker):
        async def create_session(self):
            asyncio.get_running_loop().call_later(0.1, self.breaks)
            await super().create_session()

        def breaks(self):
            self.openai.scenario = Scenario.rate_limit()

    broken = Broken("Yes.", "Bye.", instructions="Be other.")
    call = run(broken.create_session, TALK, cassette=tmp_path / "tape", record_mode="new_episodes")
    assert call.events.of(events.ErrorOccurred)
    assert "Yes." not in [entry.text for entry in call.transcript]
