"""Whole calls as screenplays: what is heard, said, cut, typed, pressed and recorded."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from piopiy_lab import Audio, AudioFile, Caller, events, simulate, start_call
from piopiy_lab.errors import (
    ArgumentError,
    ArgumentTypeError,
    AudioFileError,
    CallEndedError,
    SavedCallError,
    ScreenplayError,
)
from piopiy_lab.session.commands import Interrupt, Say, Tune, UserSays
from piopiy_lab.session.session import current_session
from piopiy_lab.sound import speech


def run(create_session, caller, **options):
    return asyncio.run(simulate(create_session, caller, **options))


def after(secs, command):
    """A hook that gives a command to the running call ``secs`` seconds into it."""

    def during(agent):
        session = current_session()

        def go():
            task = asyncio.ensure_future(command(session.agents[-1]))
            tasks.append(task)

        asyncio.get_running_loop().call_later(secs, go)

    tasks = []
    return during


BOOKING = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .interrupts("no make it friday", after=1.2)
    .hears("friday")
    .hears_reply()
    .says("my name is anna")
    .hears_reply()
    .says("yes please")
    .expects_tool("book_table", party_size=2, day="friday", name="Anna")
    .hears("booked", within=5)
    .hears_reply()
    .says("goodbye")
    .hears("goodbye")
    .hears_reply()
    .hangs_up()
)


def test_a_table_is_booked_with_a_correction_and_an_interruption(booking):
    call = run(booking(), BOOKING)
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"
    said = [entry.text for entry in call.transcript if entry.role == "user"]
    assert said == [
        "a table for two tomorrow at seven",
        "no make it friday",
        "my name is anna",
        "yes please",
        "goodbye",
    ]
    (tool,) = call.tool_calls
    assert tool.result["status"] == "booked"
    assert [entry.interrupted for entry in call.transcript if entry.role == "assistant"] == [
        False, True, False, False, False, False,
    ]  # fmt: skip


def test_an_interrupted_reply_is_cut_at_the_same_word_everywhere(booking):
    call = run(booking(), BOOKING)
    cut = next(entry for entry in call.transcript if entry.interrupted)
    (interruption,) = (e for e in call.events.of(events.AgentInterrupted) if e.speaking)
    generated = "".join(
        e.text
        for e in call.events.of(events.LLMTextGenerated)
        if cut.start - 0.5 < e.at < interruption.at
    )
    assert generated.startswith(cut.text)
    assert len(cut.text) < len(generated)  # something was left unsaid
    assert all(start <= interruption.at for _, start, _ in cut.words)
    # The next thing the LLM was given holds what was heard, and no word more.
    later = next(c for c in call.events.of(events.ContextSent) if c.at >= interruption.at)
    replies = [m["content"] for m in later.messages if m["role"] == "assistant"]
    assert replies[-1] == cut.text
    # And after it the listener heard nothing until the next reply.
    again = next(e.at for e in call.events.of(events.AgentSpeechStarted) if e.at >= interruption.at)
    rate = call.recording.sample_rate
    held = call.events.of(events.AgentSpeechHeld)[-1]  # silent or low, and cut when it was decided
    silent = held.at if held.how == "pause" else interruption.at
    silence = call.recording[round((silent + 0.02) * rate) : round(again * rate) - 10, 1]
    assert len(silence) > 0.02 * rate
    assert not silence.any()


def test_the_recording_is_aligned_with_the_log(booking):
    call = run(booking(), BOOKING)
    rate = call.recording.sample_rate
    for spoken in call.events.of(events.CallerSpoke):
        side = np.abs(call.recording[:, 0].astype(int))
        first = np.argmax(side[round((spoken.at - 0.02) * rate) :] > 200) / rate - 0.02
        assert abs(first) < 0.02, spoken
    for started in call.events.of(events.AgentSpeechStarted):
        side = np.abs(call.recording[:, 1].astype(int))
        first = np.argmax(side[round(max(0, started.at - 0.02) * rate) :] > 200) / rate
        assert first < 0.06, started  # a clip begins with 5 ms of its own silence


def test_latency_parts_add_up(booking):
    call = run(booking(), BOOKING)
    assert len(call.turns) == 5
    for turn in call.turns:
        assert list(turn.parts) == ["vad", "turn", "transcript", "llm", "tts", "output"]
        assert all(secs >= 0 for secs in turn.parts.values())
        assert sum(turn.parts.values()) == pytest.approx(turn.total, abs=0.001)
        assert 0.1 < turn.total < 3


def test_a_typed_turn_is_answered_and_stops_the_agent(booking):
    caller = Caller().hears_greeting().says("a table for two tomorrow at seven").waits(8)
    during = after(7.0, lambda agent: agent.prepare(UserSays("make it friday"))())
    call = run(booking(during), caller)
    call.raise_for_error()
    typed = next(entry for entry in call.transcript if entry.source == "typed")
    assert (typed.role, typed.text) == ("user", "make it friday")
    assert [e.cause for e in call.events.of(events.AgentInterrupted)] == ["typed"]
    assert "Friday" in call.transcript[-1].text


def test_the_agent_says_what_it_is_told(booking):
    during = after(6.0, lambda agent: agent.prepare(Say("One moment please."))())
    call = run(booking(during), Caller().hears_greeting().waits(6))
    assert call.transcript[-1].text.endswith("One moment please.")


def test_the_agent_is_interrupted_by_command(booking):
    during = after(1.0, lambda agent: agent.prepare(Interrupt())())
    call = run(booking(during), Caller().waits(6))
    greeting = call.transcript[0]
    assert greeting.interrupted
    assert greeting.end <= 1.3
    assert call.events.of(events.AgentInterrupted)[0].cause == "command"


def test_tuning_acts_on_the_running_call(booking):
    during = after(
        4.0, lambda agent: agent.prepare(Tune({"stop_secs": 0.5, "incomplete_wait_secs": 0.7}))()
    )
    caller = Caller().hears_greeting().waits(1).says("a table for two tomorrow at seven")
    call = run(booking(during), caller.hears_reply())
    call.raise_for_error()
    (changed,) = call.events.of(events.SettingsChanged)
    assert changed.old == {"incomplete_wait_secs": 1.5, "stop_secs": 0.2}
    assert changed.new == {"stop_secs": 0.5, "incomplete_wait_secs": 0.7}
    assert {e.stop_secs for e in call.events.of(events.UserSpeechStopped)} == {0.5}


def test_a_number_of_words_to_interrupt_can_be_tuned(booking):
    """A voice alone stops the greeting at first; with min_words=2 it takes two words to."""
    caller = Caller().interrupts("tomorrow", after=0.6).hears_reply()
    by_voice = run(booking(), caller)
    assert by_voice.transcript[0].interrupted
    tune = after(0.3, lambda agent: agent.prepare(Tune({"min_words": 2}))())
    spared = run(booking(tune), caller)
    assert not spared.transcript[0].interrupted
    stopped = run(booking(tune), Caller().interrupts("a table for two", after=0.6).hears_reply())
    assert stopped.transcript[0].interrupted
    (changed,) = stopped.events.of(events.SettingsChanged)
    assert (changed.old, changed.new) == ({"min_words": 0}, {"min_words": 2})
    (started,) = stopped.events.of(events.PipelineStarted)
    assert started.turn_params == {"incomplete_wait_secs": 1.5, "min_words": 0}


@pytest.mark.parametrize("count", [-1, 2.5, "two", True, 99])
def test_a_number_of_words_that_is_none_is_refused(booking, count):
    refused = []

    async def try_it(run):
        with pytest.raises(ArgumentError, match="whole number from 0 to 20"):
            run.prepare(Tune({"min_words": count}))
        refused.append(count)

    run(booking(after(0.5, try_it)), Caller().waits(1))
    assert refused == [count]


def test_new_instructions_act_from_the_next_turn(booking):
    agents = []

    async def rewrite(run):
        agents[0].instructions = "Be brief."

    def during(agent):
        agents.append(agent)
        after(7.0, rewrite)(agent)

    caller = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()
    call = run(booking(during), caller.says("my name is anna").hears_reply())
    first, second = call.context[0][0], call.context[-1][0]
    assert first["content"] != "Be brief."
    assert second == {"role": "system", "content": "Be brief."}


def test_pressed_keys_are_events_and_a_user_turn(booking):
    call = run(booking(), Caller().hears_greeting().presses("12#").hears_reply())
    call.raise_for_error()
    assert [e.digit for e in call.events.of(events.DTMFReceived)] == ["1", "2", "#"]
    assert {"role": "user", "content": "DTMF: 12#"} in call.context[-1]
    assert call.transcript[1].source == "keypad"


# --- the caller's expectations ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "words"),
    [
        (Caller().hears("pizza", within=4), r"step 1.*hears\('pizza', within=4.0\).*booking desk"),
        (Caller().hears_greeting().hears_reply(timeout=3), "step 2 .*hears_reply.*within 3 s"),
        (
            Caller()
            .hears_greeting()
            .says("a table for two tomorrow at seven")
            .expects_tool("book_table", party_size=9, timeout=2),
            r"step 3.*expects_tool\('book_table', party_size=9.*was not called",
        ),
        (Caller().hears_greeting().interrupts("stop", timeout=2), "step 2.*did not speak"),
        (Caller().interrupts("stop", after=30), "step 1.*silent again after"),
    ],
)
def test_a_screenplay_that_waits_in_vain_names_the_step(booking, caller, words):
    call = run(booking(), caller)
    assert call.end_reason == "error"
    with pytest.raises(ScreenplayError, match=words):
        call.raise_for_error()
    (failed,) = call.events.of(events.CallerStepFailed)
    assert failed.why
    assert call.recording.duration > 1  # nothing recorded is lost


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Caller().says("..."), ArgumentError, "no words"),
        (lambda: Caller().says(7), ArgumentTypeError, "can't say 7"),
        (lambda: Caller().waits(-1), ArgumentError, "secs=-1"),
        (lambda: Caller().presses("12a"), ArgumentError, "12a"),
        (lambda: Caller().hears("x", within="soon"), ArgumentTypeError, "soon"),
        (lambda: Caller().hangs_up().says("hello"), ArgumentError, "after hangs_up"),
        (lambda: Caller().says((np.zeros(0, np.int16), 16000)), ArgumentError, "empty"),
        (lambda: Caller().says((np.zeros(9), 16000)), ArgumentTypeError, "int16"),
        (lambda: AudioFile("x.wav", channel=-1), ArgumentError, "channel=-1"),
    ],
)
def test_a_screenplay_that_makes_no_sense_is_refused_when_written(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_caller_is_immutable_and_shows_its_screenplay():
    one = Caller().hears_greeting()
    two = one.says("hello").hears("hi", within=3)
    assert len(one.steps) == 1
    assert repr(two) == "Caller().hears_greeting().says('hello').hears('hi', within=3.0)"


# --- audio files -----------------------------------------------------------------------------


@pytest.fixture
def clip():
    spoken = speech.synthesize("a table for two on friday please", sample_rate=48000)
    silence = np.zeros(48000 * 5, np.int16)  # the greeting is spoken meanwhile
    return np.concatenate([silence, spoken.samples])


@pytest.mark.parametrize(
    ("name", "subtype", "rate", "channels"),
    [
        ("mono.wav", "PCM_16", 48000, 1),
        ("wide.wav", "PCM_24", 44100, 2),
        ("float.wav", "FLOAT", 8000, 1),
        ("music.flac", "PCM_16", 22050, 3),
        ("voice.ogg", "VORBIS", 16000, 1),
        ("voice.mp3", "MPEG_LAYER_III", 32000, 2),
    ],
)
def test_any_sound_file_can_call(booking, tmp_path, clip, name, subtype, rate, channels):
    import soundfile

    from piopiy_lab.sound import pcm

    # As floats: libsndfile's MP3 encoder garbles int16 in stereo.
    samples = pcm.resample(clip, 48000, rate).astype(np.float32) / 32768
    path = tmp_path / name
    soundfile.write(path, np.stack([samples] * channels, axis=1), rate, subtype=subtype)
    call = run(booking(), AudioFile(path))
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"
    assert call.transcript[1].text == "a table for two on friday please"


def test_a_saved_call_can_call_again(booking, tmp_path):
    said = Caller().hears_greeting().says("a table for two tomorrow at seven")
    first = run(booking(), said.waits(0.3))  # hangs up before the answer; a recording does not
    first.save(tmp_path / "first")
    same = run(booking(), AudioFile(tmp_path / "first"))  # and hangs up where the caller did
    assert same.transcript == first.transcript
    again = run(booking(), AudioFile(tmp_path / "first" / "call.wav"))
    again.raise_for_error()
    assert [e.text for e in again.transcript] == [
        "Hello, this is the booking desk. How can I help?",
        "a table for two tomorrow at seven",
        "A table for two tomorrow at seven. What name is it under?",
    ]


def test_a_file_that_can_not_call_is_refused_at_once(booking, tmp_path):
    import soundfile

    (tmp_path / "text.wav").write_text("no sound")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.int16), 16000)
    soundfile.write(tmp_path / "mono.wav", np.zeros(99, np.int16), 16000)
    for file, words in [
        (AudioFile(tmp_path / "none.wav"), "is not there"),
        (AudioFile(tmp_path / "text.wav"), "is no sound file"),
        (AudioFile(tmp_path / "empty.wav"), "holds no samples"),
        (AudioFile(tmp_path / "mono.wav", channel=1), "no channel 1"),
    ]:
        with pytest.raises(AudioFileError, match=words):
            run(booking(), file)
        with pytest.raises(AudioFileError, match=words):
            start_call(booking(), file)


# --- the callback and the call ---------------------------------------------------------------


def test_the_callback_gets_the_fields_it_asks_for():
    got = {}

    async def create_session(call_id, metadata, **more):
        got.update(call_id=call_id, metadata=metadata, **more)
        raise SystemError

    run(create_session, Caller(), metadata='{"vip": true}', from_number="+1")
    assert got == {
        "call_id": "sim-1",
        "metadata": {"vip": True},
        "agent_id": "local",
        "from_number": "+1",
    }


def test_what_is_no_callback_is_refused():
    for wrong, words in [
        (None, "async function"),
        (lambda: None, "not async"),
        ("create_session", "async function"),
    ]:
        with pytest.raises(ArgumentTypeError, match=words):
            run(wrong, Caller())

    async def asks_too_much(call_id, colour):
        pass

    with pytest.raises(ArgumentTypeError, match="colour"):
        run(asks_too_much, Caller())


def test_what_a_call_can_not_be_on(booking):
    with pytest.raises(ArgumentTypeError, match="'mic'"):
        start_call(booking(), "mic")
    with pytest.raises(ArgumentTypeError, match="simulate"):
        run(booking(), object())


def test_commands_after_the_end(booking):
    call = run(booking(), Caller().hears_greeting())
    call.hang_up()
    for command in (
        lambda: call.say("x"),
        lambda: call.user_says("x"),
        call.interrupt,
        lambda: call.tune(stop_secs=0.3),
    ):
        with pytest.raises(CallEndedError):
            command()


def test_a_click_is_found_at_its_events_time_after_two_minutes(booking):
    """On both sides, within 20 ms, and in real time the same clock is used."""
    click = np.zeros(1600, np.int16)
    click[:16] = 20000
    caller = Caller().hears_greeting().waits(120).says((click, 16000)).waits(1)
    during = after(124.5, lambda agent: agent.prepare(Say("Still here."))())
    call = run(booking(during, idle_timeout_secs=0), caller.waits(3))
    rate = call.recording.sample_rate

    (spoke,) = call.events.of(events.CallerSpoke)
    assert spoke.at > 120
    side = np.abs(call.recording.caller.astype(int))
    late = round(100 * rate)
    first = (late + int(np.argmax(side[late:] > 5000))) / rate
    assert first == pytest.approx(spoke.at, abs=0.02)

    started = call.events.of(events.AgentSpeechStarted)[-1]
    assert started.at > 120
    side = np.abs(call.recording.agent.astype(int))
    first = (late + int(np.argmax(side[late:] > 50))) / rate
    assert first == pytest.approx(started.at, abs=0.02)


def test_a_folder_that_can_not_take_the_call_is_refused_at_once(booking, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    for start in (run, start_call):
        with pytest.raises(SavedCallError, match="mine"):
            start(booking(), Caller().hears_greeting(), record=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


def test_a_session_that_is_cancelled_says_so():
    async def create_session():
        raise asyncio.CancelledError

    call = run(create_session, Caller().hears_greeting())
    assert call.end_reason == "cancelled"
    assert call.state == "ended"


def test_a_pause_inside_a_turn_gives_one_turn_and_one_answer(booking):
    """The final of a turn's second part is waited for, though the first part's text is there."""
    first, rest = (speech.synthesize(text) for text in ("a table for two", "tomorrow at seven"))
    pause = np.zeros(int(0.4 * first.sample_rate), np.int16)
    said = Audio(np.concatenate([first.samples, pause, rest.samples]), first.sample_rate)
    call = run(booking(), Caller().hears_greeting().says(said).hears_reply().hangs_up())
    call.raise_for_error()
    texts = [event.text for event in call.events.of(events.Transcribed)]
    assert texts == ["a table for two", "tomorrow at seven"]  # the detector heard the pause
    for kind in (events.UserTurnStarted, events.UserTurnStopped, events.ContextSent):
        assert len(call.events.of(kind)) == 1, kind
    assert not call.events.of(events.AgentInterrupted)
