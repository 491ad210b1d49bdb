"""Switching between services: by hand and by failover, with no word cut, lost or said twice."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from pipecat.frames.frames import (
    LLMContextFrame,
    LLMMessagesAppendFrame,
    ManuallySwitchServiceFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
)
from pipecat.pipeline.llm_switcher import LLMSwitcher
from pipecat.pipeline.service_switcher import ServiceSwitcher as PipecatSwitcher
from wait_until import wait_until

from piopiy_lab import (
    Call,
    Caller,
    VoiceAgent,
    calls_tool,
    events,
    offline_realtime,
    offline_stack,
    simulate,
    start_call,
)
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CallEndedError, ServiceError
from piopiy_lab.offline import EspeakTTSService, PhraseSTTService, RuleBook, RuleLLMService
from piopiy_lab.offline.phrases import PhraseBook
from piopiy_lab.pipeline.service_switcher import (
    ServiceSwitcher,
    ServiceSwitcherStrategyFailover,
    ServiceSwitcherStrategyManual,
)
from piopiy_lab.session.commands import Interrupt, Say, UserSays
from piopiy_lab.session.session import current_session

ORDER = "a table for two tomorrow at seven"
ANSWER = "A table for two tomorrow at seven. What name is it under?"
LOW, HIGH = "en-us+m3", "en-us+f3"
CALLER = Caller().hears_greeting().says(ORDER).hears_reply().says("my name is anna").hears_reply()


def session(parts, during=None, **agent_options):
    """A session of ``parts(stt, llm, tts)``; ``during(agent)`` runs beside the call."""

    async def create_session():
        agent = VoiceAgent(**{"instructions": "x", "greeting": "Welcome.", **agent_options})
        await agent.Action(**{"vad": True, **parts(*offline_stack())})
        if during is not None:
            beside = asyncio.create_task(during(agent))
        await agent.start()
        if during is not None:
            await beside

    return create_session


def run(create_session, caller=CALLER, **options):
    return asyncio.run(simulate(create_session, caller.hangs_up(), **options))


def two_voices(strategy=ServiceSwitcherStrategyManual, first=None):
    voices = [
        first or EspeakTTSService(voice=LOW, name="low"),
        EspeakTTSService(voice=HIGH, name="high"),
    ]

    def parts(stt, llm, tts):
        return {"stt": stt, "llm": llm, "tts_switcher": ServiceSwitcher(voices, strategy)}

    return parts


def switches(call):
    return [(e.kind, e.old, e.new, e.cause) for e in call.events.of(events.ServiceSwitched)]


def after(secs, *wanted):
    async def during(agent):
        await current_session().wait_until_listening()
        await asyncio.sleep(secs)
        for service in wanted:
            await agent.switch_service(service)

    return during


async def seen(session, kind):
    """Wait, on the call's clock, until an event of a kind is in the log."""
    while not session.log.of(kind):  # noqa: ASYNC110 - the log is pulled; virtual time is free
        await asyncio.sleep(0.05)


def pitch(call, start, end):
    """The median pitch of the agent's voice in Hz, by autocorrelation."""
    rate = call.recording.sample_rate
    side = call.recording[round(start * rate) : round(end * rate), 1].astype(float)
    size, found = round(0.04 * rate), []
    for at in range(0, len(side) - size, size):
        piece = side[at : at + size]
        if np.abs(piece).max() < 2000:
            continue
        piece = piece - piece.mean()
        score = np.correlate(piece, piece, "full")[size - 1 :]
        low, high = round(rate / 400), round(rate / 60)
        lag = low + int(np.argmax(score[low:high]))
        if score[lag] > 0.5 * score[0]:
            found.append(rate / lag)
    return float(np.median(found))


def test_two_voices_are_heard_and_the_switch_is_where_the_log_says():
    call = run(session(two_voices(), after(6.5, "high"))).raise_for_error()
    (switched,) = call.events.of(events.ServiceSwitched)
    assert switches(call) == [("tts", "low", "high", "manual")]
    assert pitch(call, 0, switched.at) < 130
    assert pitch(call, switched.at, call.duration) > 160


@pytest.mark.parametrize("when", [1.0, 6.0, 6.5, 8.0, 9.6, 10.3])
def test_a_switch_neither_cuts_nor_repeats_words(when):
    still = run(session(two_voices())).raise_for_error()
    call = run(session(two_voices(), after(when, "high"))).raise_for_error()
    assert [e.text for e in call.transcript] == [e.text for e in still.transcript]
    assert not any(entry.interrupted for entry in call.transcript)
    (switched,) = call.events.of(events.ServiceSwitched)
    speaking = [
        e
        for e in call.events
        if isinstance(e, events.AgentSpeechStarted | events.AgentSpeechStopped)
    ]
    before = [e for e in speaking if e.at <= switched.at]
    assert not before or isinstance(before[-1], events.AgentSpeechStopped), "between two replies"


def test_what_is_said_after_the_switch_was_asked_for_is_the_new_voices():
    async def during(agent):
        run = current_session()
        await run.wait_until_listening()
        await asyncio.sleep(3)
        await run.agents[-1].prepare(Say("This is the first voice speaking to you."))()
        await agent.switch_service("high")
        await run.agents[-1].prepare(Say("And this is the second voice speaking now."))()

    call = run(session(two_voices(), during), Caller().hears_greeting().waits(9)).raise_for_error()
    (switched,) = call.events.of(events.ServiceSwitched)
    words = {e.text: e.at for e in call.events.of(events.WordSpoken)}
    assert words["you."] < switched.at <= words["And"]
    assert pitch(call, words["This"], switched.at) < 130
    assert pitch(call, words["And"], call.duration) > 160
    assert call.transcript[0].text.endswith("This is the first voice speaking to you. And this is "
                                            "the second voice speaking now.")  # fmt: skip


class BusyRecogniser(PhraseSTTService):
    """A recogniser that takes its time for all that is not audio."""

    async def process_frame(self, frame, direction):
        if isinstance(frame, ManuallySwitchServiceFrame | LLMMessagesAppendFrame | TTSSpeakFrame):
            await asyncio.sleep(0.3)
        await super().process_frame(frame, direction)


def busy_recogniser():
    return BusyRecogniser(PhraseBook([ORDER]))


@pytest.mark.parametrize("kind", ["tts", "llm"])
def test_a_switch_that_a_tool_asks_for_is_there_before_the_answer_to_its_result(kind):
    """It went through the recogniser, and the answer was the old voice's when that was at work."""

    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Welcome.")

        async def book_table():
            await agent.switch_service("high" if kind == "tts" else "other")
            return "Booked by now."

        agent.add_tool(book_table)
        _, _, tts = offline_stack()
        models = {
            n: RuleLLMService(RuleBook({ORDER: calls_tool("book_table")}), name=n)
            for n in ("one", "other")
        }
        parts = {
            "tts": lambda: two_voices()(busy_recogniser(), models["one"], None),
            "llm": lambda: {
                "tts": tts,
                "llm_switcher": LLMSwitcher(list(models.values())),
                "stt": busy_recogniser(),
            },
        }[kind]()
        await agent.Action(vad=True, **parts)
        await agent.start()

    call = run(create_session, Caller().hears_greeting().says(ORDER).hears_reply())
    (switched,) = call.raise_for_error().events.of(events.ServiceSwitched)
    answer = next(e for e in call.events.of(events.LLMTextGenerated) if e.text.startswith("Booked"))
    assert switched.at <= answer.at


@pytest.mark.parametrize("interrupting", [False, True])
def test_a_switch_does_not_overtake_what_was_to_be_said_before(interrupting):
    async def during(agent):
        run = current_session()
        await run.wait_until_listening()
        await asyncio.sleep(3)
        if interrupting:
            await run.agents[-1].prepare(Interrupt())()
        await run.agents[-1].prepare(Say("This is the first voice speaking to you."))()
        if interrupting:
            await asyncio.sleep(0.1)  # it is there by now, and the words are not
        await agent.switch_service("high")

    def parts(stt, llm, tts):
        return two_voices()(busy_recogniser(), llm, None)

    call = run(session(parts, during), Caller().hears_greeting().waits(9)).raise_for_error()
    (switched,) = call.events.of(events.ServiceSwitched)
    words = {e.text: e.at for e in call.events.of(events.WordSpoken)}
    assert words["you."] < switched.at


def test_a_switch_does_not_overtake_what_was_typed_before():
    async def during(agent):
        run = current_session()
        await run.wait_until_listening()
        await asyncio.sleep(3)
        await run.agents[-1].prepare(UserSays("who are you"))()
        await agent.switch_service("other")

    def parts(stt, llm, tts):
        models = [
            RuleLLMService(RuleBook({"who are you": f"I am the {n} one."}), name=n)
            for n in ("first", "other")
        ]
        return {
            "stt": busy_recogniser(),
            "tts": tts,
            "llm_switcher": LLMSwitcher(models),
        }

    call = run(session(parts, during), Caller().hears_greeting().waits(9)).raise_for_error()
    assert call.transcript[-1].text == "I am the first one."
    assert len(call.events.of(events.ServiceSwitched)) == 1


def test_an_interruption_ends_the_wait_for_the_old_voice():
    caller = Caller().hears_greeting().says(ORDER).interrupts("make it friday", after=1.0)
    call = run(session(two_voices(), after(4.2, "high")), caller.hears_reply()).raise_for_error()
    (interrupted,) = call.events.of(events.AgentInterrupted)
    (switched,) = call.events.of(events.ServiceSwitched)
    assert 0 <= switched.at - interrupted.at < 0.2
    assert call.transcript[-1].role == "assistant"
    assert pitch(call, call.transcript[-1].start, call.duration) > 160


def test_a_switch_in_the_middle_of_a_realtime_answer_waits_for_its_end():
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Welcome.")
        llm = offline_realtime(speaks=False, token_delay=0.3)
        voices = two_voices()(None, None, None)["tts_switcher"]
        await agent.Action(llm=llm, tts_switcher=voices, vad=True)

        async def during():
            session = current_session()
            await seen(session, events.Transcribed)
            await asyncio.sleep(0.7)
            await agent.switch_service("high")

        beside = asyncio.create_task(during())
        await agent.start()
        await beside

    call = run(create_session).raise_for_error()
    assert call.transcript[2].text == ANSWER
    (switched,) = call.events.of(events.ServiceSwitched)
    asked = call.events.of(events.Transcribed)[0].at + 0.7
    stopped = [e.at for e in call.events.of(events.LLMResponseStopped)]
    assert asked < stopped[1], "while the answer was being given"
    assert switched.at >= call.transcript[2].end - 0.5
    assert pitch(call, call.transcript[2].start, switched.at) < 130
    assert pitch(call, call.transcript[4].start, call.duration) > 160


class FrozenTTS(EspeakTTSService):
    """Its provider never answers."""

    async def run_tts(self, text, context_id):
        await asyncio.sleep(3600)
        yield None


def test_a_voice_that_never_answers_is_not_waited_for_for_ever():
    voices = two_voices(first=FrozenTTS(name="low"))
    caller = Caller().waits(16).says(ORDER).hears_reply()
    call = run(session(voices, after(1.0, "high")), caller).raise_for_error()
    (switched,) = call.events.of(events.ServiceSwitched)
    assert 10 <= switched.at <= 14
    assert any("did not finish within" in e.message for e in call.events.of(events.NoticeGiven))
    assert call.transcript[-1].text == ANSWER


def test_the_last_wish_counts_and_the_active_one_is_no_switch():
    call = run(session(two_voices(), after(6.0, "high", "low"))).raise_for_error()
    assert switches(call) == []
    call = run(session(two_voices(), after(4.0, "low"))).raise_for_error()
    assert switches(call) == []


def test_pipecats_own_frame_and_switcher_do_as_well():
    from pipecat.frames.frames import ManuallySwitchServiceFrame

    voices = [EspeakTTSService(voice=LOW), EspeakTTSService(voice=HIGH)]
    models = []

    async def during(agent):
        await current_session().wait_until_listening()
        await asyncio.sleep(6.5)
        await models[0].push_frame(ManuallySwitchServiceFrame(service=voices[1]))

    def parts(stt, llm, tts):
        models.append(llm)
        return {"stt": stt, "llm": llm, "tts_switcher": PipecatSwitcher(voices)}

    call = run(session(parts, during)).raise_for_error()
    assert switches(call) == [("tts", "EspeakTTSService-1", "EspeakTTSService-2", "manual")]
    assert call.transcript[2].text == ANSWER


class LateTTS(EspeakTTSService):
    """A voice whose provider sends more audio long after the reply."""

    async def run_tts(self, text, context_id):
        async for frame in super().run_tts(text, context_id):
            yield frame
        self.create_task(self._late())

    async def _late(self):
        await asyncio.sleep(6)
        noise = (np.sin(np.arange(24000) * 0.5) * 12000).astype(np.int16)
        await self.push_frame(TTSAudioRawFrame(noise.tobytes(), 24000, 1))


class LateSTT(PhraseSTTService):
    """A recogniser that finds more words long after the sentence."""

    async def push_frame(self, frame, direction=None):
        await super().push_frame(frame, *([direction] if direction else []))
        if isinstance(frame, TranscriptionFrame) and frame.text != "thank you":
            self.create_task(self._late())

    async def _late(self):
        await asyncio.sleep(3.0)
        await super().push_frame(TranscriptionFrame("thank you", "", "now"))


def test_late_audio_of_the_voice_before_is_not_spoken():
    caller = Caller().waits(10)
    loud = run(session(two_voices(first=LateTTS(voice=LOW, name="low"))), caller).raise_for_error()
    assert np.abs(loud.recording[6 * 24000 : 7 * 24000, 1]).max() > 5000, "the test's own check"
    voices = two_voices(first=LateTTS(voice=LOW, name="low"))
    call = run(session(voices, after(3.0, "high")), caller).raise_for_error()
    assert switches(call) == [("tts", "low", "high", "manual")]
    assert not call.recording[round(3.0 * 24000) :, 1].any()


def test_late_words_of_the_recogniser_before_are_not_transcribed():
    book = offline_stack()[0].book

    def parts(stt, llm, tts):
        ears = [LateSTT(book, name="late"), PhraseSTTService(book, name="good")]
        return {"stt_switcher": ServiceSwitcher(ears), "llm": llm, "tts": tts}

    caller = Caller().hears_greeting().says(ORDER).waits(8)
    loud = run(session(parts), caller).raise_for_error()
    assert "thank you" in [e.text for e in loud.events.of(events.Transcribed)], "own check"
    call = run(session(parts, after(4.5, "good")), caller).raise_for_error()
    assert switches(call) == [("stt", "late", "good", "manual")]
    assert [e.text for e in call.transcript if e.role == "user"] == [ORDER]


def test_a_recogniser_is_switched_between_two_turns_of_the_caller():
    book = offline_stack()[0].book
    ears = []

    def parts(stt, llm, tts):
        ears[:] = [PhraseSTTService(book), PhraseSTTService(book)]
        return {"stt_switcher": ServiceSwitcher(ears), "llm": llm, "tts": tts}

    async def during(agent):  # while the caller speaks
        session = current_session()
        await seen(session, events.UserSpeechStarted)
        await agent.switch_service(ears[1])

    call = run(session(parts, during)).raise_for_error()
    assert [e.text for e in call.transcript if e.role == "user"] == [ORDER, "my name is anna"]
    (switched,) = call.events.of(events.ServiceSwitched)
    turns = [e.at for e in call.events.of(events.UserTurnStopped)]
    assert turns[0] <= switched.at < turns[0] + 0.1


def brains(*answers, strategy=ServiceSwitcherStrategyManual, classes=(RuleLLMService,) * 2):
    """Two language models that answer the same question differently."""
    names = ["first", "second"]

    def parts(stt, llm, tts):
        replies = [{"hello": a, "thank you": a} for a in answers]
        llms = [
            made(RuleBook(reply), name=name, token_delay=0.1)
            for made, reply, name in zip(classes, replies, names, strict=True)
        ]
        ear = PhraseSTTService(RuleBook(replies[0]).phrases)
        return {"stt": ear, "tts": tts, "llm_switcher": ServiceSwitcher(llms, strategy)}

    return parts


def test_a_language_model_ends_its_answer_before_another_one_thinks():
    parts = brains("I am the first of the two.", "I am the second one.")
    caller = Caller().hears_greeting().says("hello").hears_reply().says("thank you").hears_reply()

    async def during(agent):
        session = current_session()
        await seen(session, events.LLMResponseStarted)
        await asyncio.sleep(0.25)
        await agent.switch_service("second")

    call = run(session(parts, during), caller).raise_for_error()
    said = [entry.text for entry in call.transcript if entry.role == "assistant"]
    assert said == ["Welcome.", "I am the first of the two.", "I am the second one."]
    (switched,) = call.events.of(events.ServiceSwitched)
    ended = call.events.of(events.LLMResponseStopped)[0].at
    assert switched.at == pytest.approx(ended, abs=0.05)


def test_tools_are_known_to_every_language_model_and_run_before_the_switch():
    from pipecat.adapters.llm.schemas.function_schema import FunctionSchema

    from piopiy_lab import calls_tool

    async def open_door(params):
        await asyncio.sleep(1.0)
        return {"open": True}

    async def create_session():
        schema = FunctionSchema("open_door", "Opens it.", {}, [])
        agent = VoiceAgent(instructions="x", greeting="Welcome.", tools=[schema])
        agent.register_tool("open_door", open_door)
        rules = [
            RuleBook({"hello": calls_tool("open_door").says(f"Opened by the {name}.")})
            for name in ("first", "second")
        ]
        llms = [RuleLLMService(r, name=n) for r, n in zip(rules, ("first", "second"), strict=True)]
        switcher = LLMSwitcher(llms=llms)
        await agent.Action(
            stt=PhraseSTTService(rules[0].phrases),
            llm_switcher=switcher,
            tts=EspeakTTSService(),
            vad=True,
        )

        async def during():
            session = current_session()
            await seen(session, events.ToolCalled)
            await agent.switch_service("second")

        beside = asyncio.create_task(during())
        await agent.start()
        await beside

    call = run(
        create_session, Caller().hears_greeting().says("hello").hears("Opened").hears_reply()
    )
    call.raise_for_error()
    (switched,) = call.events.of(events.ServiceSwitched)
    (returned,) = call.events.of(events.ToolReturned)
    assert switched.at == pytest.approx(returned.at, abs=0.01)
    assert call.transcript[-1].text == "Opened by the second."


# --- failover --------------------------------------------------------------------------------


class FailingTTS(EspeakTTSService):
    """Speaks a number of sentences, then its provider refuses for good."""

    def __init__(self, sentences, *, raises=False, **kwargs):
        super().__init__(**kwargs)
        self._left = sentences
        self._raises = raises

    async def run_tts(self, text, context_id):
        self._left -= 1
        if self._left < 0:
            if self._raises:
                raise RuntimeError("the account is closed")
            await self.push_error("the account is closed", force_treat_as_permanent=True)
            return
        async for frame in super().run_tts(text, context_id):
            yield frame


@pytest.mark.parametrize("sentences", [0, 1, 2])
def test_a_voice_that_fails_is_followed_by_the_next_without_a_lost_word(sentences):
    first = FailingTTS(sentences, voice=LOW, name="low")
    call = run(session(two_voices(ServiceSwitcherStrategyFailover, first))).raise_for_error()
    assert switches(call) == [("tts", "low", "high", "failover")]
    heard = " ".join(e.text for e in call.transcript if e.role == "assistant")
    assert heard.startswith(f"Welcome. {ANSWER} A table for two tomorrow at seven for Anna.")
    assert "closed" in call.events.of(events.ErrorOccurred)[0].message
    (switched,) = call.events.of(events.ServiceSwitched)
    assert pitch(call, call.transcript[-1].start, call.duration) > 160


def test_without_failover_the_call_goes_on_and_says_how_to_switch():
    first = FailingTTS(0, voice=LOW, name="low")
    caller = Caller().waits(5).says(ORDER).hears_reply()
    call = run(session(two_voices(first=first), after(4.0, "high")), caller).raise_for_error()
    assert switches(call) == [("tts", "low", "high", "manual")]
    assert any("switch_service" in e.message for e in call.events.of(events.NoticeGiven))
    assert call.transcript[-1].text == ANSWER


def test_a_voice_that_raises_is_followed_by_the_next_too():
    first = FailingTTS(1, raises=True, voice=LOW, name="low")
    call = run(session(two_voices(ServiceSwitcherStrategyFailover, first))).raise_for_error()
    assert switches(call) == [("tts", "low", "high", "failover")]
    assert ANSWER in " ".join(e.text for e in call.transcript)


def test_a_voice_that_is_dead_from_the_start_is_followed_by_the_next():
    class Dead(EspeakTTSService):
        async def start(self, frame):
            await super().start(frame)
            await self.push_error("the key was refused", force_treat_as_permanent=True)

    voices = two_voices(ServiceSwitcherStrategyFailover, Dead(voice=LOW, name="low"))
    call = run(session(voices)).raise_for_error()
    assert switches(call) == [("tts", "low", "high", "failover")]
    assert call.transcript[0].text == "Welcome."


def test_when_the_last_voice_fails_the_call_ends_with_the_error():
    voices = [FailingTTS(0, name="one"), FailingTTS(0, name="two")]

    def parts(stt, llm, tts):
        switcher = ServiceSwitcher(voices, ServiceSwitcherStrategyFailover)
        return {"stt": stt, "llm": llm, "tts_switcher": switcher}

    call = run(session(parts), Caller().waits(5))
    assert call.end_reason == "error"
    with pytest.raises(ServiceError, match="closed"):
        call.raise_for_error()


class FailingLLM(RuleLLMService):
    async def process_frame(self, frame, direction):
        if isinstance(frame, LLMContextFrame):
            await self.push_error("no credit", force_treat_as_permanent=True)
            return
        await super().process_frame(frame, direction)


def test_a_language_model_that_fails_is_followed_by_one_that_answers_the_same_turn():
    strategy = ServiceSwitcherStrategyFailover
    parts = brains("never", "I am here.", strategy=strategy, classes=(FailingLLM, RuleLLMService))
    call = run(session(parts), Caller().hears_greeting().says("hello").hears_reply())
    call.raise_for_error()
    assert switches(call) == [("llm", "first", "second", "failover")]
    assert call.transcript[-1].text == "I am here."
    assert len(call.transcript) == 3


class FailingSTT(PhraseSTTService):
    """Fails in the middle of the caller's first sentence."""

    heard = 0

    async def run_stt(self, audio):
        if self._listening:
            self.heard += 1
            if self.heard == 20:
                await self.push_error("connection refused", force_treat_as_permanent=True)
        async for frame in super().run_stt(audio):
            yield frame


def test_a_recogniser_that_fails_in_a_sentence_is_followed_by_one_that_hears_it_all():
    book = offline_stack()[0].book

    def parts(stt, llm, tts):
        ears = [FailingSTT(book, name="bad"), PhraseSTTService(book, name="good")]
        switcher = ServiceSwitcher(ears, ServiceSwitcherStrategyFailover)
        return {"stt_switcher": switcher, "llm": llm, "tts": tts}

    call = run(session(parts)).raise_for_error()
    assert switches(call) == [("stt", "bad", "good", "failover")]
    assert [e.text for e in call.transcript if e.role == "user"] == [ORDER, "my name is anna"]


# --- what can be asked for -------------------------------------------------------------------


def test_the_call_knows_its_switchers_running_and_saved(tmp_path):
    seen = {}

    async def during(agent):
        await current_session().wait_until_listening()
        seen["services"] = {k: type(v).__name__ for k, v in agent._run.services.items()}
        await asyncio.sleep(6)
        await agent.switch_service("high")

    call = run(session(two_voices(), during)).raise_for_error()
    assert seen["services"] == {
        "stt": "PhraseSTTService",
        "llm": "RuleLLMService",
        "tts": "EspeakTTSService",
        "low": "EspeakTTSService",
        "high": "EspeakTTSService",
    }
    for known in (call, Call.load(call.save(tmp_path / "call"))):
        switcher = known.switchers["tts"]
        assert list(switcher.services) == ["low", "high"]
        assert (switcher.active, switcher.strategy) == ("high", "manual")
        assert repr(switcher) == "<Switcher tts (manual): low, [high]>"
    assert run(session(lambda s, m, t: {"stt": s, "llm": m, "tts": t})).switchers == {}


def test_a_switch_to_something_else_is_refused_by_name():
    found = []

    async def during(agent):
        await current_session().wait_until_listening()
        for wanted in ("middle", "tts", EspeakTTSService(), 7, None):
            with pytest.raises(ArgumentError, match="'low', 'high'") as caught:
                await agent.switch_service(wanted)
            found.append(str(caught.value))

    call = run(session(two_voices(), during), Caller().waits(2)).raise_for_error()
    assert "'middle'" in found[0]
    assert "part of the pipeline" in found[1]
    assert "EspeakTTSService" in found[2]
    assert switches(call) == []


def test_a_switch_without_a_switcher_before_start_and_to_an_unusable_one_is_refused():
    async def plain(agent):
        await current_session().wait_until_listening()
        with pytest.raises(ArgumentError, match="no switcher; give Action"):
            await agent.switch_service("high")

    def three(stt, llm, tts):
        return {"stt": stt, "llm": llm, "tts": tts}

    run(session(three, plain), Caller().waits(1)).raise_for_error()

    async def before():
        agent = VoiceAgent(instructions="x")
        with pytest.raises(ServiceError, match="is in none"):
            await agent.switch_service("high")
        await agent.Action(**two_voices()(*offline_stack()), vad=True)
        with pytest.raises(ServiceError, match="there are: 'low', 'high'"):
            await agent.switch_service("high")

    asyncio.run(before())

    async def unusable(agent):
        await current_session().wait_until_listening()
        await agent._run.services["high"].set_usable(False)
        with pytest.raises(ServiceError, match="can no longer do its job.*usable: 'low'"):
            await agent.switch_service("high")

    run(session(two_voices(), unusable), Caller().waits(1)).raise_for_error()


def test_a_running_call_switches_from_another_thread_and_refuses_at_once():
    call = start_call(session(two_voices()), Caller().hears_greeting().waits(20))
    wait_until(lambda: call.state == "listening" and call.switchers)
    with pytest.raises(ArgumentError, match="'middle'.*there are: 'low', 'high'"):
        call.switch_service("middle")
    assert call.switchers["tts"].active == "low"
    call.switch_service("high")
    wait_until(lambda: call.events.of(events.ServiceSwitched))
    assert call.switchers["tts"].active == "high"
    assert call.services["tts"] is call.services["high"]
    asyncio.run(call.agent.switch_service("low"))  # from a loop of another thread
    wait_until(lambda: len(call.events.of(events.ServiceSwitched)) == 2)
    call.hang_up()
    call.join(10)
    with pytest.raises(CallEndedError, match="switch_service"):
        call.switch_service("high")


def test_replace_stands_in_for_a_switcher_and_the_session_may_still_ask():
    call = run(session(two_voices(), after(4.0, "high")), replace={"tts": EspeakTTSService()})
    call.raise_for_error()
    assert call.switchers == {}
    assert any("nothing was switched" in e.message for e in call.events.of(events.NoticeGiven))
    both = ServiceSwitcher([EspeakTTSService(), EspeakTTSService(name="other")])
    call = run(session(two_voices(), after(4.0, "other")), replace={"tts": both})
    assert switches(call.raise_for_error()) == [("tts", "EspeakTTSService", "other", "manual")]


def test_modelled_latency_slows_every_service_of_a_switcher():
    call = run(session(two_voices(), after(4.0, "high")), latency={"tts": 0.5}).raise_for_error()
    assert all(turn.parts["tts"] >= 0.5 for turn in call.turns)


def test_a_switchers_services_work_in_the_next_call_and_a_used_switcher_is_refused():
    kept = []

    def parts(stt, llm, tts):
        kept.append(ServiceSwitcher([PhraseSTTService(stt.book), stt]))
        return {"stt_switcher": kept[0], "llm": llm, "tts": tts}

    run(session(parts), Caller().hears_greeting()).raise_for_error()
    again = run(session(parts), Caller().hears_greeting())
    with pytest.raises(ServiceError, match="a switcher can't be used twice"):
        again.raise_for_error()
    services = kept[0].services

    def fresh(stt, llm, tts):
        return {"stt_switcher": ServiceSwitcher(services), "llm": llm, "tts": tts}

    call = run(session(fresh, after(6.0, services[1]))).raise_for_error()
    assert [e.text for e in call.transcript if e.role == "user"] == [ORDER, "my name is anna"]


def test_the_same_switched_call_gives_the_same_events():
    calls = [run(session(two_voices(), after(6.5, "high"))).raise_for_error() for _ in range(2)]
    assert [e.to_json() for e in calls[0].events] == [e.to_json() for e in calls[1].events]


TTS_IN_TWO = EspeakTTSService()


@pytest.mark.parametrize(
    ("parts", "error", "words"),
    [
        (
            lambda s, m, t: {"tts_switcher": [t]},
            ArgumentTypeError,
            "tts_switcher=.*ServiceSwitcher",
        ),
        (lambda s, m, t: {"tts_switcher": t}, ArgumentTypeError, "tts_switcher="),
        (lambda s, m, t: {"tts": ServiceSwitcher([t])}, ArgumentTypeError, "as tts_switcher="),
        (
            lambda s, m, t: {"tts": t, "tts_switcher": ServiceSwitcher([t, EspeakTTSService()])},
            ArgumentError,
            "tts and tts_switcher are the same object",
        ),
        (
            lambda s, m, t: {"tts": t, "tts_switcher": ServiceSwitcher([EspeakTTSService()])},
            ArgumentError,
            "give one of them",
        ),
        (
            lambda s, m, t: {"tts_switcher": ServiceSwitcher([t, s]), "stt": None},
            ArgumentTypeError,
            "tts_switcher=PhraseSTTService.*service for stt",
        ),
        (lambda s, m, t: {"stt": EspeakTTSService(), "tts": t}, ArgumentTypeError, "for tts"),
        (lambda s, m, t: {"tts": PhraseSTTService(s.book)}, ArgumentTypeError, "for stt"),
        (
            lambda s, m, t: {"llm_switcher": ServiceSwitcher([EspeakTTSService()]), "llm": None},
            ArgumentTypeError,
            "no LLM service",
        ),
        (
            lambda s, m, t: {
                "llm": None,
                "tts": t,
                "llm_switcher": ServiceSwitcher([m, offline_realtime(speaks=False)]),
            },
            ArgumentError,
            "of one sort",
        ),
        (
            lambda s, m, t: {
                "tts_switcher": ServiceSwitcher(
                    [EspeakTTSService(name="tts"), EspeakTTSService(name="b")]
                )
            },
            ArgumentError,
            "named 'tts'.*part's name",
        ),
        (
            lambda s, m, t: {
                "tts_switcher": ServiceSwitcher(
                    [EspeakTTSService(name="b"), EspeakTTSService(name="b")]
                )
            },
            ArgumentError,
            "named 'b'",
        ),
    ],
)
def test_a_wrong_switcher_is_refused_at_action_by_name(parts, error, words):
    stt, llm, tts = offline_stack()
    given = {"stt": stt, "llm": llm, "vad": True, **parts(stt, llm, tts)}
    with pytest.raises(error, match=words):
        asyncio.run(VoiceAgent(instructions="x").Action(**given))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"services": []}, ArgumentError, "at least one"),
        ({"services": "ab"}, ArgumentTypeError, "'ab'"),
        ({"services": [1]}, ArgumentTypeError, "1"),
        ({"services": [TTS_IN_TWO, TTS_IN_TWO]}, ArgumentError, "twice"),
        (
            {"services": [TTS_IN_TWO], "strategy_type": "manual"},
            ArgumentTypeError,
            "ServiceSwitcherStrategyManual",
        ),
    ],
)
def test_a_switcher_of_ours_refuses_what_makes_none(arguments, error, words):
    with pytest.raises(error, match=words):
        ServiceSwitcher(**arguments)


def test_an_emptied_switcher_is_refused():
    switcher = ServiceSwitcher([EspeakTTSService()])
    switcher.services.clear()
    stt, llm, _ = offline_stack()
    with pytest.raises(ArgumentError, match="tts_switcher=.*no services"):
        asyncio.run(
            VoiceAgent(instructions="x").Action(stt=stt, llm=llm, tts_switcher=switcher, vad=True)
        )


def test_a_switcher_shows_its_services():
    switcher = ServiceSwitcher([EspeakTTSService(name="a"), EspeakTTSService(name="b")])
    assert repr(switcher) == "<ServiceSwitcher (manual): [a], b>"
