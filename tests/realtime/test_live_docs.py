"""The pages of the documentation whose calls take their real time; see ``tests/test_docs.py``.

A scripted caller sits at every microphone, and the telephony is the loopback platform.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import soundfile
from doc_blocks import LIVE, python_of, run_cells
from wait_until import wait_until

import piopiy_lab
from piopiy_lab import Agent, Caller, VoiceAgent, offline_stack, simulate
from piopiy_lab.loopback import LoopbackPlatform
from piopiy_lab.offline import EspeakTTSService
from piopiy_lab.pipeline.service_switcher import ServiceSwitcher
from piopiy_lab.sound import speech


async def create_session():
    """Answer as the README's session does, with a second voice to switch to."""
    agent = VoiceAgent(instructions="You take bookings.", greeting="Hello, how can I help?")
    stt, llm, tts = offline_stack()
    voices = ServiceSwitcher(services=[tts, EspeakTTSService(voice="en-us+f3", name="high")])
    await agent.Action(stt=stt, llm=llm, tts_switcher=voices, vad=True)
    await agent.start()


#: Callers whom a busy machine may keep waiting: one at a microphone or on the phone, who is greeted
#: and hangs up, and one in the place of a page's own, who stays until the page hangs up.
GREETED = Caller().hears_greeting(timeout=60).hangs_up()
STAYS = Caller().waits(60)


class People:
    """Scripted callers at every microphone, one call at a time."""

    def __init__(self):
        self.calls = []
        self.session = None  # takes the place of the page's own, if it is set
        self._start_call = piopiy_lab.start_call

    def start_call(self, session, on=None):
        if on is None or isinstance(on, piopiy_lab.Microphone | piopiy_lab.BrowserMicrophone):
            on = GREETED
        elif isinstance(on, Caller):
            on = STAYS
        if self.calls:
            self.calls[-1].hang_up()
        call = self._start_call(self.session or session, on)
        self.calls.append(call)
        # a reader is slower than that to the next cell
        wait_until(lambda: call.state != "starting", 60, call)
        return call


class CalledOnce:
    """An ``Agent`` whose telephony is the loopback platform, where somebody calls it once."""

    def __init__(self, calls, *given):
        self.calls = calls  # where the call goes
        self.given = given  # as an Agent's: id, token, session

    async def connect(self):
        agent_id, token, session = self.given
        async with LoopbackPlatform(agents={agent_id: token}) as platform:
            agent = Agent(agent_id, token, session, platform.signaling_url)
            connected = asyncio.create_task(agent.connect())
            self.calls.append(await platform.place_call(agent_id, GREETED))
            await agent.shutdown()
            await connected


@pytest.fixture
def runner():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def people(monkeypatch):
    people = People()
    monkeypatch.setattr(piopiy_lab, "start_call", people.start_call)
    yield people
    for call in people.calls:
        call.hang_up()
        call.join(20)
        call.raise_for_error()


@pytest.fixture
def phone(monkeypatch):
    calls = []

    def agent(*given, **named):  # with an address the page has a platform of its own
        own = len(given) > 3 or "signaling_url" in named
        return Agent(*given, **named) if own else CalledOnce(calls, *given)

    monkeypatch.setattr(piopiy_lab, "Agent", agent)
    yield calls
    (call,) = calls
    call.raise_for_error()


@pytest.fixture
def keys(monkeypatch):
    for provider in ("DEEPGRAM", "OPENAI", "CARTESIA"):
        monkeypatch.setenv(f"{provider}_API_KEY", "not-a-key")


# --- what each page needs --------------------------------------------------------------------


@pytest.fixture
def readme(people, phone, keys):
    people.session = create_session  # the README's own has no second voice
    spoken = speech.synthesize("a table for two")
    soundfile.write("me.wav", spoken.samples, spoken.sample_rate)
    yield {"agent_id": "desk", "agent_token": "a-token"}
    assert len(people.calls) == 5


@pytest.fixture
def browser_microphone(people):
    yield {}
    assert [call.end_reason for call in people.calls] == ["caller_hung_up"]


@pytest.fixture
def loopback(runner):
    platform = runner.run(LoopbackPlatform(agents={"desk": "a-token"}).start())
    agent = Agent("desk", "a-token", create_session, platform.signaling_url)
    connected = runner.get_loop().create_task(agent.connect())
    names = {"platform": platform}
    yield names
    names["call"].raise_for_error()
    runner.run(agent.shutdown())
    runner.run(asyncio.wait_for(connected, 10))
    runner.run(platform.stop())


@pytest.fixture
def microphone(people, keys):
    return {"create_session": create_session}


@pytest.fixture
def telephony(phone, monkeypatch, runner):
    monkeypatch.setenv("PIOPIY_AGENT_ID", "desk")
    monkeypatch.setenv("PIOPIY_AGENT_TOKEN", "a-token")
    monkeypatch.setenv("PIOPIY_TOKEN", "a-token")
    names = {}
    yield names
    names["call"].raise_for_error()
    runner.run(simulate(names["narrow_session"], GREETED)).raise_for_error()


# --- the code --------------------------------------------------------------------------------


@pytest.mark.parametrize("page", LIVE)
def test_a_live_pages_code_runs(page, request, runner, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = request.getfixturevalue(Path(page).stem.lower())
    run_cells(python_of(page), names, runner)
