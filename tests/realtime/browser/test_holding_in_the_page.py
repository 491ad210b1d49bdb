"""A voice over the agent's in a browser: what the page was sent already is held, too."""

from __future__ import annotations

import numpy as np
from lab_harness import write_capture
from test_browser_microphone import LONG, TAP, audio_of, best_match, heard_in, start

from piopiy_lab.sound import pcm, speech

RATE, PERIOD = 48000, 10.0
SESSION = """
from piopiy_lab import BrowserMicrophone, VoiceAgent, offline_stack, start_call
from piopiy_lab import events as E

async def create_session(call_id):
    agent = VoiceAgent(instructions="Bookings.", greeting={greeting!r})
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, hold_backchannels=True, hold={how!r})
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

    def match(self, tmp_path):
        """Find the page's sound in the recording, by what was heard before the hold."""
        self.agent, self.rate = audio_of(self.notebook, tmp_path, 1)
        self.page = pcm.resample(self._page, self._rate, self.rate) / 32768
        begin = self.held - 0.8
        piece = self.agent[round(begin * self.rate) : round((begin + 0.7) * self.rate)] / 32768
        score, place = best_match(piece, self.page)
        assert score > 0.9
        self._offset = begin - place / self.rate
        return self

    def loudness(self, begin, end):
        """Of what the page played between two of the call's seconds."""
        first, last = (round((at - self._offset) * self.rate) for at in (begin, end))
        return float(np.sqrt(np.mean(np.square(self.page[first:last], dtype=np.float64))))


def test_a_backchannel_over_the_agent_in_a_page_is_ducked_and_it_goes_on(
    open_notebook, chrome, tmp_path
):
    says(chrome, "mm hmm")
    call = Held(open_notebook, "duck", "call.events.of(E.AgentSpeechResumed)")
    resumed = call.times("AgentSpeechResumed")[0]
    assert call.times("AgentInterrupted") == call.times("UserTurnAdded") == []
    if call.times("AudioDropped"):  # the machine's; then nothing is where it was to be
        return
    call.match(tmp_path)
    whole = speech.synthesize(LONG, speech.AGENT_VOICE, sample_rate=call.rate).samples / 32768
    usual = float(np.sqrt(np.mean(np.square(whole))))
    # On its way, 40 ms to fall silent, and the page is quiet until the sound goes on.
    assert call.loudness(call.held + 0.25, resumed) < 0.3 * usual
    assert call.loudness(resumed + 0.3, resumed + 1.3) > 0.5 * usual
