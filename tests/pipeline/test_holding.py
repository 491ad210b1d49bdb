"""A voice over the agent holds its sound first; then it was a listener's, or it takes the floor."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest
from pipecat.frames.frames import TranscriptionFrame, UserBackchannelFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.turns.user_mute import (
    AlwaysUserMuteStrategy,
    BaseUserMuteStrategy,
    FunctionCallUserMuteStrategy,
)
from pipecat.turns.user_start import MinWordsUserTurnStartStrategy
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies, UserTurnStrategies

from piopiy_lab import (
    Caller,
    Line,
    MinWordsInterruptionStrategy,
    VoiceAgent,
    calls_tool,
    events,
    offline_realtime,
    offline_stack,
    simulate,
)
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.listening.lexicon import Lexicon
from piopiy_lab.listening.turn_taking import HOLD_BY_DEFAULT
from piopiy_lab.pipeline.service_switcher import ServiceSwitcher
from piopiy_lab.session.commands import Interrupt, Say, Tune, UserSays
from piopiy_lab.session.session import current_session
from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService
from piopiy_lab.transports.base import SessionTransport
from piopiy_lab.transports.held_sound import MOST_SECS

GREETING = (
    "Hello and welcome to the little bistro. We are open every day from noon until ten in the "
    "evening, and you can book a table for up to eight people. It is a pleasure to have you here."
)
STREAMS = functools.partial(ScreenplaySTTService, interim_secs=0.2)
#: Recognisers that know the caller's words: as they come, and at the end.
HEARS = {"interims": STREAMS, "finals only": ScreenplaySTTService}


def session(*, greeting: Any = GREETING, seen: Any = None, **action: Any):
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting=greeting)
        stt, llm, tts = offline_stack()
        made = {name: make() if callable(make) else make for name, make in action.items()}
        made = {"hold_backchannels": True, **made}
        await agent.Action(**{"stt": stt, "llm": llm, "tts": tts, "vad": True, **made})
        if seen is not None:
            seen(agent, current_session())
        await agent.start()

    return create_session


def begins(text, after=2.0, *, wait=9):
    """A caller who says something over the greeting and then waits."""
    return Caller().backchannels(text, after=after).waits(wait)


def over(text, after=2.0, *, wait=9):
    """The same, who then hangs up."""
    return begins(text, after, wait=wait).hangs_up()


def run(create_session: Any = None, caller: Any = None, *, stt: Any = STREAMS, **options: Any):
    replace = {"stt": stt} if stt is not None else {}
    create_session = create_session or session()
    call = asyncio.run(simulate(create_session, caller, replace=replace, **options))
    return call.raise_for_error()


def when_held(session, act):
    """Do something at the moment when the agent's sound is held."""

    def note(event):
        if isinstance(event, events.AgentSpeechHeld):
            unsubscribe()
            act()

    unsubscribe = session.log.subscribe(note)


def cut(call):
    return [e for e in call.events.of(events.AgentInterrupted) if e.speaking]


def words(call):
    return " ".join(word.text for word in call.events.of(events.WordSpoken))


def kept(call):
    return [event.text for event in call.events.of(events.BackchannelHeard)]


def added(call):
    return [event.text for event in call.events.of(events.UserTurnAdded)]


@pytest.mark.parametrize("how", ["pause", "duck", "duck_then_pause"])
@pytest.mark.parametrize("stt", HEARS.values(), ids=HEARS)
def test_a_backchannel_is_no_interruption(stt, how):
    call = run(session(hold=how), over("mm hmm"), stt=stt)
    assert not cut(call)
    assert words(call) == GREETING
    assert kept(call) == ["mm hmm"]
    assert added(call) == []
    assert call.events.of(events.UserTurnStarted, events.TurnPredicted) == []
    assert call.events.of(events.ContextSent) == []
    held, *others = call.events.of(events.AgentSpeechHeld)
    (resumed,) = call.events.of(events.AgentSpeechResumed)
    changes = [one.how for one in (held, *others)]
    assert changes == (["duck", "pause", "duck"][: len(changes)] if "then" in how else [how])
    assert resumed.cause == "backchannel"
    assert held.at - call.events.of(events.CallerSpoke)[0].at < 0.35


def test_the_transcript_marks_it():
    call = run(caller=begins("mm hmm").says("a table for two").hears_reply().hangs_up())
    first, second, third, fourth = call.transcript
    assert (first.role, first.text) == ("assistant", GREETING)
    assert (second.text, second.manner) == ("mm hmm", "backchannel")
    assert first.start < second.start < second.end < first.end
    assert "mm hmm [backchannel]" in str(call.transcript)
    assert (third.text, third.manner) == ("a table for two", "")
    assert fourth.role == "assistant"
    assert added(call) == ["a table for two"]


def test_what_was_interrupts_said_and_heard_as_a_backchannel_is_marked_too():
    call = run(caller=Caller().interrupts("okay", after=1.5).waits(10).hangs_up())
    assert kept(call) == ["okay"]
    (notice,) = call.events.of(events.NoticeGiven)
    assert "Write .backchannels('okay')" in notice.message
    assert [e.manner for e in call.transcript if e.role == "user"] == ["backchannel"]


@pytest.mark.parametrize("stt", HEARS.values(), ids=HEARS)
@pytest.mark.parametrize("text", ["stop", "wait", "what time are you open"])
@pytest.mark.parametrize("how", ["pause", "duck", "duck_then_pause"])
def test_an_interruption_is_one(how, text, stt):
    call = run(session(hold=how), over(text), stt=stt)
    (interruption,) = cut(call)
    held = call.events.of(events.AgentSpeechHeld)[-1]
    until = held.at if held.how == "pause" else interruption.at
    assert added(call) == [text]
    assert kept(call) == []
    heard = [w.text for w in call.events.of(events.WordSpoken) if w.at <= until]
    first = call.events.of(events.AgentTurnAdded)[0]
    assert first.text == " ".join(heard)
    assert call.transcript[0].text == " ".join(heard)
    assert call.transcript[0].interrupted
    assert not [w for w in call.events.of(events.WordSpoken) if until < w.at < interruption.at]
    assert len(call.events.of(events.ContextSent)) == 1
    assert call.transcript[-1].role == "assistant"


@pytest.mark.parametrize("text", ["stop", "wait"])
def test_a_turn_that_late_words_began_ends_at_once(text):
    call = run(caller=over(text), stt=ScreenplaySTTService)
    spoke = call.events.of(events.CallerSpoke)[0]
    (stopped,) = call.events.of(events.UserTurnStopped)
    assert stopped.at - spoke.end < 0.45
    assert added(call) == [text]


def test_a_stop_word_that_no_detector_was_sure_of_is_heard():
    caller = Caller().hears_greeting().says("a table for two").backchannels("wait", after=0.3)
    call = run(session(greeting="Hi."), caller.waits(4).hangs_up(), stt=ScreenplaySTTService)
    assert added(call) == ["a table for two", "wait"]
    assert len(call.events.of(events.UserSpeechStarted)) == 1
    assert cut(call)


def test_an_interruption_that_goes_on_is_judged_by_the_turn_model_as_ever():
    call = run(caller=over("i would like a table for two people tomorrow at seven"))
    assert call.events.of(events.TurnPredicted)
    assert added(call) == ["i would like a table for two people tomorrow at seven"]


def test_a_backchannels_sound_does_not_lead_the_next_turn():
    caller = begins("mm hmm", wait=11).says("a table for two").hears_reply().hangs_up()
    with_it = run(caller=caller)
    without = run(caller=Caller().waits(13).says("a table for two").hears_reply().hangs_up())
    # early looks may have been repeated: the last one of each is what counted
    one, other = (c.events.of(events.TurnPredicted)[-1] for c in (with_it, without))
    assert one.complete == other.complete
    assert one.probability == pytest.approx(other.probability, abs=0.2)


def test_yes_answers_a_question_and_is_a_listeners_word_otherwise():
    asks = "Would you like a table? You can say yes or no, and then we will go on from there."
    call = run(session(greeting=asks), over("yes", after=2.2))
    assert added(call) == ["yes"]
    assert cut(call)
    tells = asks.replace("?", ".")
    call = run(session(greeting=tells), over("yes", after=2.2))
    assert added(call) == []
    assert kept(call) == ["yes"]


def test_no_is_a_turn_in_either_case():
    assert added(run(caller=over("no"))) == ["no"]


def test_offline_nothing_unclear_has_words():
    call = run(caller=over("mm hmm"), stt=None)
    assert not cut(call)
    assert added(call) == []
    assert words(call) == GREETING


def test_the_offline_recognisers_guesses_do_not_count():
    call = run(caller=over("great"), stt=None)
    assert not cut(call)
    assert added(call) == []


def test_a_backchannel_in_the_last_moment_is_a_turn_as_ever():
    plain = run(caller=Caller().waits(14).hangs_up())
    end = plain.events.of(events.AgentSpeechStopped)[0].at
    start = plain.events.of(events.AgentSpeechStarted)[0].at
    call = run(caller=over("okay", after=end - start - 0.05))
    assert added(call) == ["okay"]
    assert not call.events.of(events.AgentSpeechHeld)


@pytest.mark.parametrize("how", ["pause", "duck", "duck_then_pause"])
@pytest.mark.parametrize("text", ["mm hmm", "what time"])
@pytest.mark.parametrize("before_end", [0.6, 0.45, 0.25, 0.2])
def test_a_hold_is_over_when_what_is_held_is(how, text, before_end):
    """The agent is heard to its end, low, before anybody knows what the voice over it is."""
    greeting = "Welcome to the bistro. We are open every day."  # 3.0 s
    caller = Caller().backchannels(text, after=3.0 - before_end).waits(4).hangs_up()
    call = run(session(greeting=greeting, hold=how), caller)
    assert words(call).startswith(greeting) or (how == "pause" and cut(call))
    held, speaks, loud = False, False, []
    for event in call.events.of(
        events.AgentSpeechStarted, events.AgentSpeechStopped, events.AgentSpeechHeld,
        events.AgentSpeechResumed, events.AgentInterrupted,
    ):  # fmt: skip
        match event:
            case events.AgentSpeechHeld():
                assert speaks, "nothing is held when nothing is heard"
                held = True
            case events.AgentSpeechResumed() | events.AgentInterrupted():
                assert held
                held = False
                loud.append(event)
            case events.AgentSpeechStarted():
                assert not held, "what is said next is heard as loud as ever"
                speaks = True
            case _:
                speaks = False
    assert loud
    assert not held
    assert (kept(call), added(call)) in (([text], []), ([], [text]))
    if text == "what time":
        assert added(call) == [text]
    if how == "pause" and text == "what time":
        (interruption,) = cut(call)
        first, *_ = call.events.of(events.AgentSpeechStopped)
        assert (first.at, first.cause) == (interruption.at, "interrupted")
        assert call.transcript[0].interrupted


def test_what_the_agent_says_next_is_held_for_the_same_voice():
    def says_more(agent, session):
        async def say():
            await session.wait_until_listening()
            await asyncio.sleep(1.35)  # the greeting has been over since 1.3 s, the voice not yet
            await session.latest_agent.prepare(Say("And we are open every day of the week."))()

        tasks.append(asyncio.create_task(say()))

    tasks: list[asyncio.Task[None]] = []
    call = run(session(greeting="Welcome to the bistro.", seen=says_more), over("mm hmm", 1.1))
    first, *others = call.events.of(events.AgentSpeechHeld)
    again, *_ = [one for one in others if one.at > 1.3]
    start = call.events.of(events.AgentSpeechStarted)[1]
    assert first.at < 1.3
    assert again.at == pytest.approx(start.at, abs=0.001)
    assert [one.cause for one in call.events.of(events.AgentSpeechResumed)] == [
        "over",
        "backchannel",
    ]
    assert kept(call) == ["mm hmm"]
    assert not cut(call)


def test_two_backchannels_in_one_reply():
    caller = Caller().backchannels("mm hmm", after=1.5).backchannels("okay", after=4.5)
    call = run(caller=caller.waits(10).hangs_up())
    assert kept(call) == ["mm hmm", "okay"]
    assert words(call) == GREETING
    assert not cut(call)


def test_a_cough_is_neither():
    call = run(caller=Caller().coughs(after=2.0).waits(10).hangs_up())
    assert not cut(call)
    assert words(call) == GREETING
    assert added(call) == []


@pytest.mark.parametrize("stt", HEARS.values(), ids=HEARS)
def test_a_false_backchannel_that_goes_on_interrupts(stt):
    call = run(caller=over("okay but make it a table for seven"), stt=stt)
    assert cut(call)
    assert added(call) == ["okay but make it a table for seven"]


def test_with_interruptions_off_nothing_is_held():
    off = run(session(allow_interruptions=False), over("stop"))
    assert not off.events.of(events.AgentSpeechHeld)
    assert not cut(off)
    assert words(off).startswith(GREETING)


def test_off_is_as_it_was():
    call = run(session(hold_backchannels=False), over("mm hmm"))
    assert cut(call)
    assert not call.events.of(events.AgentSpeechHeld, events.BackchannelHeard)


def test_with_nothing_said_the_default_counts():
    call = run(session(hold_backchannels=None), over("mm hmm"))
    assert bool(kept(call)) is HOLD_BY_DEFAULT
    given = {"interruption_strategy": lambda: MinWordsInterruptionStrategy(min_words=1)}
    own = run(session(hold_backchannels=None, **given), over("mm hmm"))
    assert not own.events.of(events.AgentSpeechHeld)


# --- with what else a call may have -----------------------------------------------------------


def test_min_words_are_the_words_that_are_needed_while_held():
    counts = {"interruption_strategy": lambda: MinWordsInterruptionStrategy(min_words=3)}
    few = run(session(**counts), over("a table"))
    assert few.events.of(events.AgentSpeechHeld)
    assert not cut(few)
    enough = run(session(**counts), over("make it seven people"))
    assert cut(enough)
    assert added(enough) == ["make it seven people"]


def test_min_words_can_be_tuned_in_the_call():
    call = run(session(), over("what time"))
    assert cut(call)

    def tuned(agent, session):
        async def tune():
            await session.wait_until_listening()
            await session.latest_agent.prepare(Tune({"min_words": 4}))()

        tasks.append(asyncio.create_task(tune()))

    tasks: list[asyncio.Task[None]] = []
    call = run(session(seen=tuned), over("what time"))
    assert not cut(call)


@pytest.mark.parametrize("held", [True, False])
def test_unclear_is_no_words_for_min_words(held):
    call = run(
        session(
            hold_backchannels=held,
            interruption_strategy=lambda: MinWordsInterruptionStrategy(min_words=2),
        ),
        over("mm hmm"),
        stt=None,
    )
    assert any("unclear" in e.text for e in call.events.of(events.Transcribed))
    assert not cut(call)
    assert not added(call)


def test_a_muted_caller_holds_nothing():
    call = run(session(mute_strategies=lambda: [AlwaysUserMuteStrategy()]), over("stop"))
    assert not call.events.of(events.AgentSpeechHeld)
    assert words(call) == GREETING


class MutesAt(BaseUserMuteStrategy):
    """Mutes the caller from the moment that the agent's sound is held."""

    def __init__(self, log):
        super().__init__()
        self._log = log

    async def process_frame(self, frame):
        return bool(self._log.of(events.AgentSpeechHeld))


def mutes_when_held():
    call = current_session()
    assert call is not None
    return [MutesAt(call.log)]


def test_a_mute_that_begins_in_a_hold_lets_the_sound_go_on():
    call = run(
        session(mute_strategies=mutes_when_held),
        over("what time are you open"),
    )
    (resumed,) = call.events.of(events.AgentSpeechResumed)
    assert resumed.cause == "muted"
    assert words(call) == GREETING
    assert not cut(call)


def test_the_users_mute_button_in_a_hold_ends_it():
    def mutes(agent, session):
        when_held(session, lambda: session.mute(True))

    call = run(session(seen=mutes), over("what time are you open"), stt=None)
    assert words(call) == GREETING
    assert not cut(call)


def test_a_typed_turn_in_a_hold_interrupts():
    def types(agent, session):
        def write():
            act = session.latest_agent.prepare(UserSays("a table for two"))
            tasks.append(asyncio.create_task(act()))

        when_held(session, write)

    tasks: list[asyncio.Task[None]] = []
    call = run(session(seen=types), over("mm hmm"))
    assert [e.source for e in call.transcript if e.text == "a table for two"] == ["typed"]
    assert len(cut(call)) == 1
    assert "For which day?" in words(call)


def test_a_voice_that_a_command_cut_the_agent_for_was_no_backchannel():
    def interrupts(agent, session):
        def act():
            tasks.append(asyncio.create_task(session.latest_agent.prepare(Interrupt())()))

        when_held(session, act)

    tasks: list[asyncio.Task[None]] = []
    call = run(session(seen=interrupts), over("what time are you open"))
    assert added(call) == ["what time are you open"]
    assert kept(call) == []


def test_while_a_tool_is_at_work_its_filler_is_held_too():
    async def look(params):
        """Look it up."""
        await asyncio.sleep(6)
        await params.result_callback({"found": "nothing"})

    filler = "One moment please, I am looking that up in the big book of all our tables for you."

    async def create_session():
        agent = VoiceAgent(instructions="x")
        agent.add_tool(
            {"type": "function", "function": {"name": "look", "parameters": {}}}, look,
            filler=filler, filler_after_secs=0.1,
        )  # fmt: skip
        stt, llm, tts = offline_stack(
            replies={"how is it": calls_tool("look").says("All is well.")}
        )
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, hold_backchannels=True)
        await agent.start()

    caller = Caller().says("how is it").backchannels("mm hmm", after=1.5).hears("all is well")
    call = run(create_session, caller.hangs_up())
    assert kept(call) == ["mm hmm"]
    assert filler in words(call)
    assert not cut(call)
    assert not call.events.of(events.ToolCancelled)
    assert added(call) == ["how is it"]


def test_a_mute_while_tools_run_goes_with_it():
    mutes = {"mute_strategies": lambda: [FunctionCallUserMuteStrategy()]}
    assert kept(run(session(**mutes), over("mm hmm"))) == ["mm hmm"]


def test_with_switchers():
    def switcher():
        return ServiceSwitcher(services=[STREAMS(), ScreenplaySTTService()])

    async def create_session():
        agent = VoiceAgent(instructions="x", greeting=GREETING)
        _, llm, tts = offline_stack()
        await agent.Action(
            stt_switcher=switcher(), llm=llm, tts=tts, vad=True, hold_backchannels=True
        )
        await agent.start()

    call = run(create_session, over("mm hmm"), stt=None)
    assert kept(call) == ["mm hmm"]
    assert not cut(call)


def test_a_realtime_model_is_held_by_duration_only():
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting=GREETING)
        await agent.Action(llm=offline_realtime(), vad=True, hold_backchannels=True)
        await agent.start()

    def steps(text):
        return Caller().backchannels(text, after=2).waits(8).hangs_up()

    call = run(create_session, steps("mm hmm"), stt=None)
    if not call.events.of(events.AgentSpeechHeld):
        pytest.fail("nothing was held")
    assert not cut(call)
    call = run(create_session, steps("what time are you open"), stt=None)
    assert cut(call)


# --- what can't be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "error", "says"),
    [
        ({"hold_backchannels": "yes"}, ArgumentTypeError, "give True or False"),
        ({"hold": "mute"}, ArgumentError, "'pause', 'duck'"),
        ({"lexicon": "fr"}, ArgumentError, "en, hi, ta, es, de"),
        ({"lexicon": 3}, ArgumentTypeError, "give a language"),
        ({"turn_strategies": UserTurnStrategies}, ArgumentError, "UserTurnStrategies"),
        (
            {"interruption_strategy": lambda: MinWordsUserTurnStartStrategy(min_words=2)},
            ArgumentError,
            "MinWordsInterruptionStrategy",
        ),
        ({"turn_strategies": ExternalUserTurnStrategies}, ArgumentError, "Leave one of them out"),
        ({"vad": False, "stt": ScreenplaySTTService}, ArgumentError, "vad=True"),
    ],
)
def test_what_does_not_fit_is_refused(action, error, says):
    with pytest.raises(error, match=says):
        run(session(**action), over("mm hmm"), stt=None)


def test_a_lexicon_of_ones_own():
    own = Lexicon(backchannels=frozenset({"zounds"}))
    assert kept(run(session(lexicon=own), over("zounds"))) == ["zounds"]
    assert cut(run(session(), over("zounds")))


class French(ScreenplaySTTService):
    """A recogniser that says what it hears."""

    def __init__(self):
        super().__init__()
        self._settings.language = "fr-FR"


def test_the_words_of_another_language_than_is_heard_are_one_notice():
    call = run(session(), over("mm hmm"), stt=French)
    (notice,) = call.events.of(events.NoticeGiven)
    assert "hears 'fr-FR'" in notice.message
    assert "lexicon=" in notice.message
    own = Lexicon(backchannels={"ouais"})
    assert not run(session(lexicon=own), over("ouais"), stt=French).events.of(events.NoticeGiven)


def test_another_language():
    assert kept(run(session(lexicon=["en", "de"]), over("genau"))) == ["genau"]


def test_the_frame_of_pipecats_reaches_the_aggregators_event():
    heard = []

    def listens(agent, session):
        async def ready():
            await session.wait_until_listening()
            user = agent.context_aggregator.user()

            async def on_backchannel(aggregator, message):
                heard.append(message.content)

            user.add_event_handler("on_user_backchannel", on_backchannel)

        tasks.append(asyncio.create_task(ready()))

    tasks: list[asyncio.Task[None]] = []
    run(session(seen=listens), over("mm hmm"))
    assert heard == ["mm hmm"]


class Tells(ScreenplaySTTService):
    """A recogniser that tells a listener's words from others by itself, as pipecat lets it."""

    async def push_frame(self, frame, direction=FrameDirection.DOWNSTREAM):
        if isinstance(frame, TranscriptionFrame):
            frame = UserBackchannelFrame(frame.text, "", "")
        await super().push_frame(frame, direction)


def test_a_service_that_says_it_was_a_listener_is_believed_and_it_is_told_once():
    heard = []

    def listens(agent, session):
        async def ready():
            await session.wait_until_listening()

            async def on_backchannel(aggregator, message):
                heard.append(message.content)

            agent.context_aggregator.user().add_event_handler("on_user_backchannel", on_backchannel)

        tasks.append(asyncio.create_task(ready()))

    tasks: list[asyncio.Task[None]] = []
    call = run(session(seen=listens), over("lovely elephant"), stt=Tells)
    assert kept(call) == heard == ["lovely elephant"]
    assert not cut(call)
    assert words(call) == GREETING
    assert cut(run(session(), over("lovely elephant"), stt=ScreenplaySTTService))


def test_the_same_call_twice_is_the_same_call():
    one, other = (run(caller=over("mm hmm")) for _ in range(2))
    assert [e.to_json() for e in one.events] == [e.to_json() for e in other.events]
    assert (one.recording.agent == other.recording.agent).all()


# --- a microphone that hears the agent --------------------------------------------------------


@pytest.mark.parametrize(("how", "first_secs"), [("pause", 3.5), ("duck_then_pause", 4.5)])
def test_an_echo_holds_a_few_times_and_is_told_of_once(how, first_secs):
    wait = Caller().waits(20).hangs_up()
    call = run(session(hold=how), wait, stt=ScreenplaySTTService, line=Line(echo_db=10))
    held = call.events.of(events.AgentSpeechHeld)
    begun = [one for one in held if one.how == held[0].how]
    resumed = call.events.of(events.AgentSpeechResumed)
    assert 3 <= len(resumed) <= 6
    assert len(held) == len(begun) == len(resumed) or how != "pause"
    assert sum(one.at < first_secs for one in resumed) == 3
    assert not cut(call)
    assert words(call) == GREETING
    assert added(call) == []
    (notice,) = [e for e in call.events.of(events.NoticeGiven) if "its own" in e.message]
    assert "echo_cancellation=True" in notice.message


@pytest.mark.parametrize("how", ["pause", "duck", "duck_then_pause"])
def test_in_an_echo_words_still_take_the_floor(how):
    call = run(session(hold=how), over("stop", after=5.0), stt=STREAMS, line=Line(echo_db=25))
    assert len(cut(call)) == 1
    assert added(call) == ["stop"]


def test_what_no_audio_comes_for_any_more_is_let_go_and_is_no_interruption(monkeypatch):
    """The caller's side stands still in a hold: nobody decides, and the watchdog lets it go on."""
    feed = SessionTransport.feed

    async def stands_still(self, start, samples):
        if not self.session.log.of(events.AgentSpeechHeld):
            await feed(self, start, samples)

    monkeypatch.setattr(SessionTransport, "feed", stands_still)
    call = run(caller=over("what time are you open"), stt=None)
    (resumed,) = call.events.of(events.AgentSpeechResumed)
    assert (resumed.cause, resumed.held_secs) == ("watchdog", MOST_SECS)
    assert words(call) == GREETING
    assert not cut(call)


# --- words to somebody else --------------------------------------------------------------------


def test_a_voice_much_lower_than_the_callers_own_is_left_alone():
    caller = Caller().hears_greeting().says("a table for two please")
    caller = caller.says_aside("did you feed the dog", after=0.3).hears_reply()
    caller = caller.says_aside("come in it is open").waits(3).hangs_up()
    call = run(session(greeting="Hello.", aside_db=9), caller)
    assert added(call) == ["a table for two please"]
    assert not cut(call)
    heard = call.events.of(events.BackchannelHeard)
    assert [(one.text, one.aside) for one in heard] == [
        ("did you feed the dog", True),
        ("come in it is open", True),
    ]
    marked = [(one.text, one.manner) for one in call.transcript if one.role == "user"]
    assert marked[1:] == [("did you feed the dog", "aside"), ("come in it is open", "aside")]
    assert len(call.events.of(events.ContextSent)) == 1
    usual = run(session(greeting="Hello."), caller)
    assert added(usual)[1:], "it has words and length"


def test_a_listeners_low_word_is_a_listeners():
    caller = Caller().hears_greeting().says("a table for two please")
    caller = caller.says_aside("okay", after=0.3).hears_reply().waits(2).hangs_up()
    call = run(session(greeting="Hello.", aside_db=9), caller)
    assert [(e.text, e.aside) for e in call.events.of(events.BackchannelHeard)] == [("okay", False)]


@pytest.mark.parametrize("wrong", [0, 2.9, 41, "9", True, float("nan")])
def test_levels_that_cannot_be_are_refused(wrong):
    with pytest.raises(ArgumentError, match="aside_db=.*give 3 to 40"):
        run(session(aside_db=wrong), over("mm hmm"))
