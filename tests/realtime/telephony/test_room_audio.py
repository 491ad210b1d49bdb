"""Sound in a room, on the loopback platform: rates, levels, muting, the turn analyzer."""

from __future__ import annotations

import asyncio

import numpy as np
from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer, EndOfTurnState
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.observers.base_observer import BaseObserver
from wait_until import until

from piopiy_lab import Agent, Caller, VoiceAgent, events, offline_stack
from piopiy_lab.loopback import LoopbackPlatform
from piopiy_lab.offline import booking_desk
from piopiy_lab.transports.telecmi import TelecmiParams

LINE = "a table for two tomorrow at seven"
ORDERS = Caller().hears_greeting().says(LINE).hears_reply().hangs_up()


class Heard(BaseObserver):
    """Keeps what the room gave to the pipeline."""

    def __init__(self):
        super().__init__(observe_every_push=False)
        self.frames = []

    async def on_push_frame(self, data):
        if isinstance(data.frame, InputAudioRawFrame):
            self.frames.append(data.frame)


class OwnAnalyzer(BaseTurnAnalyzer):
    """Takes every pause for the end of a turn, and notes what it was asked."""

    def __init__(self):
        super().__init__()
        self.bytes_heard, self.asked, self.rates = 0, 0, []

    speech_triggered = False
    params = None

    def set_sample_rate(self, sample_rate):
        super().set_sample_rate(sample_rate)
        self.rates.append(sample_rate)

    def append_audio(self, buffer, is_speech):
        self.bytes_heard += len(buffer)
        return EndOfTurnState.INCOMPLETE

    async def analyze_end_of_turn(self):
        self.asked += 1
        return EndOfTurnState.COMPLETE, None

    def clear(self):
        pass


async def phone_call(running_agent, caller=ORDERS, during=None, **action):
    """Make a call; returns it as the agent had it and as the caller heard it."""
    desk = booking_desk()

    async def create_session():
        agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
        stt, llm, tts = offline_stack()
        await agent.Action(**{"stt": stt, "llm": llm, "tts": tts, "vad": True, **action})
        await agent.start()

    async with LoopbackPlatform() as platform:
        agent = Agent(
            "a1", platform.agent_token("a1"), create_session, platform.signaling_url, record=True
        )
        async with running_agent(agent):
            placed = asyncio.create_task(platform.place_call("a1", caller))
            if during is not None:
                line = await platform.wait_answered()
                await during(agent.calls[0], line)
            heard = (await placed).raise_for_error()
            await until(lambda: not agent.sessions.running)
    (call,) = agent.calls
    return call.raise_for_error(), heard


def share_above(samples, rate, hz):
    """The part of the sound's power that lies above a frequency."""
    power = np.abs(np.fft.rfft(samples.astype(float))) ** 2
    return float(power[np.fft.rfftfreq(len(samples), 1 / rate) > hz].sum() / power.sum())


async def test_the_rates_asked_for_are_those_of_the_sound_itself(running_agent):
    """8 kHz is no label: half the samples come in, and nothing above 4 kHz reaches the caller."""
    rates, observers = (8000, 24000), (Heard(), Heard())
    calls = await asyncio.gather(
        *(
            phone_call(
                running_agent,
                observers=[observer],
                telecmi_params=TelecmiParams(
                    audio_in_sample_rate=min(rate, 16000), audio_out_sample_rate=rate
                ),
            )
            for rate, observer in zip(rates, observers, strict=True)
        )
    )
    above = {
        rate: share_above(heard.recording[:, 1], heard.recording.sample_rate, 4200)
        for rate, (_, heard) in zip(rates, calls, strict=True)
    }
    seen = {rate: observer.frames for rate, observer in zip(rates, observers, strict=True)}
    assert {f.sample_rate for f in seen[8000]} == {8000}
    assert {f.sample_rate for f in seen[24000]} == {16000}
    assert {len(f.audio) for f in seen[8000]} == {2 * 160}  # 20 ms
    assert {len(f.audio) for f in seen[24000]} == {2 * 320}
    assert above[8000] < 0.001 < 0.01 < above[24000], above


async def test_what_both_sides_say_is_measured_ten_times_a_second(running_agent):
    call, _ = await phone_call(running_agent)
    levels = call.events.of(events.LevelMeasured)
    secs = call.duration - call.events.of(events.ParticipantJoined)[0].at
    assert 6 < len(levels) / secs < 11
    assert max(event.user_dbfs for event in levels) > -35
    assert max(event.agent_dbfs for event in levels) > -30
    spoke = call.events.of(events.UserSpeechStopped)[0].at
    while_caller_spoke = [e for e in levels if spoke - 1.0 < e.at < spoke - 0.4]
    assert while_caller_spoke
    assert all(e.user_dbfs > -60 > -90 > e.agent_dbfs for e in while_caller_spoke)


async def test_a_muted_caller_is_neither_heard_nor_recorded_until_unmuted(running_agent):
    caller = Caller().hears_greeting().waits(0.5).says("start again").waits(1.5).says(LINE)

    async def during(call, line):
        await until(lambda: call.events.of(events.AgentSpeechStopped))
        call.mute()
        await until(lambda: call.events.of(events.UserMuted))
        spoken = lambda: line.log.of(events.CallerSpoke)  # noqa: E731
        await until(spoken)  # "start again", all of it; and what of it is still under way
        await until(lambda: line.log.now() - spoken()[0].end > 0.7)
        call.mute(False)

    call, heard = await phone_call(running_agent, caller.hears_reply().hangs_up(), during)
    said = [event.text for event in heard.events.of(events.CallerSpoke)]
    assert said == ["start again", LINE]
    assert [entry.text for entry in call.transcript if entry.role == "user"] == [LINE]
    shut, opened = (event.at for event in call.events.of(events.UserMuted))
    rate = call.recording.sample_rate
    muted = call.recording[round((shut + 0.1) * rate) : round((opened - 0.1) * rate), 0]
    assert len(muted) > rate
    assert not muted.any()
    levels = [e for e in call.events.of(events.LevelMeasured) if shut + 0.2 < e.at < opened]
    assert {event.user_dbfs for event in levels} == {-96.0}


async def test_a_turn_analyzer_in_the_rooms_parameters_ends_the_turns(running_agent):
    own = OwnAnalyzer()
    call, _ = await phone_call(running_agent, telecmi_params=TelecmiParams(turn_analyzer=own))
    assert own.asked == len(call.events.of(events.UserSpeechStopped)) > 0
    assert own.rates == [16000]
    assert own.bytes_heard > 2 * 16000
    assert not call.events.of(events.TurnPredicted)  # Smart Turn's
    assert [e.text for e in call.transcript if e.role == "user"] == [LINE]
