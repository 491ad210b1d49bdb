"""A voice over the agent's in a browser: what the page was sent already is held, too."""

from __future__ import annotations

import numpy as np
import pytest
from lab_harness import write_capture
from test_browser_microphone import LONG, TAP, heard_in, start

from piopiy_lab.sound import pcm, speech

RATE, PERIOD = 48000, 10.0
VOICE_RATE, STEP = 24000, 480  # Hz; samples: 20 ms
SESSION = """
from piopiy_lab import BrowserMicrophone, VoiceAgent, offline_stack, start_call
from piopiy_lab import events as E

async def create_session(call_id):
    agent = VoiceAgent(instructions="Bookings.", greeting={greeting!r})
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, hold={how!r})
    await agent.start()
"""
START = """
plain = BrowserMicrophone(auto_gain_control=False, echo_cancellation=False)
call = start_call(create_session, plain)
"""


def says(chrome, text):
    """Let the microphone hear a text, once in every PERIOD."""
    said = speech.synthesize(text, speech.CALLER_VOICE, sample_rate=16000).samples
    clip = pcm.resample(said, 16000, RATE)
    samples = np.random.default_rng(1).normal(0, 8, round(PERIOD * RATE)).astype(np.int16)
    begin = round(4.0 * RATE)
    samples[begin : begin + len(clip)] += clip
    write_capture(chrome.capture_file, samples, RATE, channels=2)


class Held:
    """A call over whose long greeting somebody says something; seconds of the call's clock."""

    def __init__(self, open_notebook, how, until):
        cells = SESSION.format(greeting=LONG * 3, how=how), START
        self.notebook = open_notebook(*cells, before=lambda page: page.add_init_script(TAP))
        start(self.notebook)
        self.notebook.wait_for(until)
        self.notebook.wait_for("call.events.now() > call.events.of(E.AgentSpeechHeld)[0].at + 2.5")
        self._page, self._rate = heard_in(self.notebook.page)
        self.notebook.execute("call.hang_up()")
        self.notebook.wait_for("call.end_reason == 'hung_up'")
        self.held = self.times("AgentSpeechHeld")[0]

    def times(self, kind):
        return self.notebook.value(f"[e.at for e in call.events.of(E.{kind})]")

    def loudness(self):
        """How loud the page was in each STEP."""
        return loudness(pcm.resample(self._page, self._rate, VOICE_RATE))


def loudness(samples):
    steps = samples[: len(samples) // STEP * STEP].reshape(-1, STEP).astype(np.float64)
    return np.sqrt(np.mean(np.square(steps), axis=1))


def quietest(loud, secs):
    """How loud the quietest stretch of so many seconds inside is, and the step that it ends at."""
    inside = np.flatnonzero(loud > 0.2 * loud.max())
    steps = round(secs * VOICE_RATE / STEP)
    power = np.convolve(np.square(loud[inside[0] : inside[-1]]), np.ones(steps) / steps, "valid")
    least = int(np.argmin(power))
    return float(np.sqrt(power[least])), inside[0] + least + steps


@pytest.mark.parametrize(("how", "share"), [("duck", 0.3), ("pause", 0.05)])
def test_a_backchannel_over_the_agent_in_a_page(open_notebook, chrome, how, share):
    says(chrome, "mm hmm")
    call = Held(open_notebook, how, "call.events.of(E.AgentSpeechResumed)")
    resumed = call.times("AgentSpeechResumed")[0]
    assert call.times("AgentInterrupted") == call.times("UserTurnAdded") == []
    said = loudness(speech.synthesize(LONG, speech.AGENT_VOICE, sample_rate=VOICE_RATE).samples)
    usual = float(np.sqrt(np.mean(np.square(said))))
    played = call.loudness()
    # It takes 0.2 s on its way, and 40 ms to fall silent.
    secs = resumed - call.held - 0.25
    quiet, end = quietest(played, secs)
    assert quiet < share * usual < 0.8 * quietest(said, secs)[0]
    after = played[end + 20 :][:75]
    assert np.sqrt(np.mean(np.square(after))) > 0.4 * usual, "it goes on, as loud as before"


def test_stop_over_the_agent_in_a_page_takes_the_floor(open_notebook, chrome):
    says(chrome, "stop")
    call = Held(open_notebook, "pause", "call.events.of(E.AgentInterrupted)")
    cut, added = (
        call.times("AgentInterrupted")[0],
        "[e.text for e in call.events.of(E.UserTurnAdded)]",
    )
    assert call.notebook.value(added) == ["stop"]
    first = call.notebook.value("call.events.of(E.AgentTurnAdded)[0].text")
    assert (LONG * 3).startswith(first)
    assert len(first) < len(LONG * 3) - 20
    assert call.notebook.value("call.transcript[0].interrupted")
    assert any(at > cut for at in call.times("AgentSpeechStarted")), "it is answered"
