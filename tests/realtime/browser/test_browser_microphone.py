"""Calls through BrowserMicrophone in a real JupyterLab, with a WAV as what the microphone hears."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
from lab_harness import INSECURE_HOST, write_capture

from piopiy_lab.sound import pcm
from piopiy_lab.transports import browser

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(
        shutil.which("flite") is None and os.environ.get("PIOPIY_LAB_REQUIRE") != "all",
        reason="flite is missing: apt-get install flite",
    ),
]

RATE = 48000
#: The caller says this once in every turn of the capture file, at SAID_AT of its PERIOD seconds.
SAID, SAID_AT, PERIOD = "a table for two tomorrow at eight", 4.0, 10.0

SESSION = '''
from piopiy_lab import BrowserMicrophone, VoiceAgent, offline_stack, start_call
from piopiy_lab import events as E
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.observers.base_observer import BaseObserver

class Ear(BaseObserver):
    """Keeps what the pipeline was given, to the sample; a recording follows the clock instead."""
    def __init__(self):
        super().__init__()
        self.heard, self.seen = [], set()
    async def on_push_frame(self, data):
        if isinstance(data.frame, InputAudioRawFrame) and data.frame.id not in self.seen:
            self.seen.add(data.frame.id)
            self.heard.append(data.frame.audio)

ear = Ear()

async def create_session(call_id):
    agent = VoiceAgent(instructions="Bookings.", greeting="Hello, this is the booking desk.")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, observers=[ear])
    await agent.start()
'''
START = "call = start_call(create_session, BrowserMicrophone())"
LONG = "Our restaurant is open every day from noon to midnight, and there is always a table free. "

#: Records what every AudioContext of the page gives to the loudspeakers: window.heard holds
#: [time in the page's clock, base64 of float32] pieces, window.heard_rate their rate.
TAP = """
const code = `registerProcessor("tap", class extends AudioWorkletProcessor {
  constructor() { super(); this.left = []; }
  process([[left]]) {
    if (left) this.left.push(left.slice());
    if (this.left.length >= 40) {
      const all = new Float32Array(this.left.length * 128);
      this.left.forEach((piece, i) => all.set(piece, i * 128));
      this.port.postMessage({ at: currentTime - (this.left.length - 1) * 128 / sampleRate, all });
      this.left = [];
    }
    return true;
  }
})`;
window.heard = [];
// loaded before the page's own worklet, so that the tap is there from the first sample
const add = AudioWorklet.prototype.addModule;
AudioWorklet.prototype.addModule = async function (...module) {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  await add.call(this, url);
  return add.apply(this, module);
};
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to instanceof AudioDestinationNode && this instanceof AudioWorkletNode) {
    const context = this.context;
    window.heard_rate = context.sampleRate;
    const tap = new AudioWorkletNode(context, "tap", { channelCount: 1 });
    tap.port.onmessage = ({ data }) => {
      const bytes = new Uint8Array(data.all.buffer);
      let text = "";
      for (const byte of bytes) text += String.fromCharCode(byte);
      window.heard.push([data.at, btoa(text)]);
    };
    connect.call(this, tap);
    connect.call(tap, to);
    return connect.call(this, to, ...rest);
  }
  return connect.call(this, to, ...rest);
};
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The caller's sentence, int16 at RATE."""
    path = tmp_path_factory.mktemp("clip") / "said.wav"
    subprocess.run(["flite", "-voice", "rms", "-t", SAID, str(path)], check=True, timeout=20)
    samples, rate = soundfile.read(path, dtype="int16")
    return pcm.resample(samples, rate, RATE)


@pytest.fixture
def spoken(chrome, clip):
    """Let the microphone hear the sentence, once in every PERIOD."""
    noise = np.random.default_rng(1).normal(0, 8, round(PERIOD * RATE))
    samples = noise.astype(np.int16)
    start = round(SAID_AT * RATE)
    samples[start : start + len(clip)] += clip
    write_capture(chrome.capture_file, samples, RATE, channels=2)


@pytest.fixture
def silent(chrome):
    """Let the microphone hear nothing."""
    write_capture(chrome.capture_file, None)


def start(notebook, cell=1):
    """Run the cells up to the call, press the button, and wait until the agent listens."""
    for n in range(cell + 1):
        notebook.run(n)
    strip = notebook.output(cell).locator(".plm-root")
    strip.get_by_role("button", name="Start microphone").click()
    notebook.wait_for("call.state == 'listening' or call.end_reason")
    return strip


def heard_in(page):
    """Return what the page's loudspeakers were given: float32 and its rate."""
    rate = page.evaluate("window.heard_rate")
    pieces = [
        (at, np.frombuffer(base64.b64decode(text), np.float32))
        for at, text in page.evaluate("window.heard")
    ]
    begin = pieces[0][0]
    out = np.zeros(round((pieces[-1][0] - begin) * rate) + len(pieces[-1][1]) + 1, np.float32)
    for at, samples in pieces:
        first = round((at - begin) * rate)
        out[first : first + len(samples)] = samples
    return out, rate


def audio_of(notebook, tmp_path, side):
    """Return one side of the call's recording: int16 and its rate."""
    path = tmp_path / f"recording-{side}.npy"
    notebook.execute(
        f"import numpy as _np; _np.save({str(path)!r}, _np.array(call.recording)[:, {side}])"
    )
    return np.load(path), notebook.value("call.recording.sample_rate")


def best_match(needle, haystack):
    """Return the normalised correlation at the best place, and that place (samples)."""
    size = 1 << (len(needle) + len(haystack)).bit_length()
    spectrum = np.fft.rfft(haystack, size) * np.conj(np.fft.rfft(needle, size))
    dots = np.fft.irfft(spectrum, size)[: len(haystack) - len(needle) + 1]
    squares = np.concatenate([[0.0], np.cumsum(np.square(haystack, dtype=np.float64))])
    energy = squares[len(needle) :] - squares[: -len(needle)]
    scores = dots / np.sqrt(np.maximum(energy, 1e-9) * np.sum(np.square(needle, dtype=np.float64)))
    place = int(np.argmax(scores))
    return float(scores[place]), place


def seconds_to_silence(heard, rate):
    """Return when the last audible sample was played, in seconds from the first one recorded."""
    return np.flatnonzero(np.abs(heard) > 0.003)[-1] / rate


def test_a_whole_call(open_notebook, spoken, tmp_path, clip, record_property):
    notebook = open_notebook(
        SESSION,
        # what the browser does to the sound is left out: it is compared below
        "plain = BrowserMicrophone(auto_gain_control=False, echo_cancellation=False)\n"
        "call = start_call(create_session, plain)",
        before=lambda page: page.add_init_script(TAP),
    )
    strip = start(notebook)
    assert "Listening" in strip.inner_text()
    notebook.wait_for("len(call.turns) == 1")
    notebook.wait_for("len(call.events.of(E.AgentSpeechStopped)) == 2")
    notebook.execute(f"call.say({LONG * 2!r})")
    notebook.wait_for("call.events.of(E.AgentInterrupted)")
    notebook.page.wait_for_timeout(600)  # what would still be heard, if it did not fall silent
    heard, rate = heard_in(notebook.page)
    notebook.execute("call.hang_up()")
    notebook.wait_for("call.end_reason == 'hung_up'")

    entries = notebook.value("[(e.role, e.text, e.interrupted) for e in call.transcript]")
    assert [entry[:2] for entry in entries[:2]] == [
        ["assistant", "Hello, this is the booking desk."],
        ["user", SAID],
    ]
    (cut,) = [text for role, text, interrupted in entries if interrupted]
    said = cut[cut.index("Our restaurant") :]  # what was heard of it, behind the reply
    assert len(said) < len(LONG * 2) - 20
    assert (LONG * 2).startswith(said)
    assert notebook.value("[e.cause for e in call.events.of(E.AudioDropped)]") == []

    path = tmp_path / "heard.raw"
    notebook.execute(f"open({str(path)!r}, 'wb').write(b''.join(ear.heard))")
    user = np.fromfile(path, np.int16) / 32768
    score, _ = best_match(pcm.resample(clip, RATE, 16000) / 32768, user)
    assert score > 0.98

    agent, rate_in_call = audio_of(notebook, tmp_path, 1)
    page = pcm.resample(heard, rate, rate_in_call) / 32768
    starts = notebook.value("[e.at for e in call.events.of(E.AgentSpeechStarted)]")
    offsets = []
    for begin in starts[:2]:  # the greeting and the reply, as they were recorded, are in the page
        found = []
        for after in (0.3, 0.6, 0.9, 1.2):  # a busy machine's gap in one of them is no other sound
            piece = agent[round((begin + after) * rate_in_call) :][: round(0.3 * rate_in_call)]
            score, place = best_match(piece / 32768, page)
            found.append((score, begin + after - place / rate_in_call))
        assert sum(score > 0.95 for score, _ in found) >= 3, found
        offsets.append(max(found)[1])
    assert abs(offsets[0] - offsets[1]) < 0.1  # and at the same times

    # The page was silent when it says so (before that, where the agent was between two words). How
    # soon that is, is the machine's.
    interrupted_at = notebook.value("call.events.of(E.AgentInterrupted)[-1].at")
    silent_after = seconds_to_silence(heard, rate) + offsets[1] - interrupted_at
    record_property("ms from the interruption to silence in the page", round(silent_after * 1000))
    notebook.execute("import gc; from piopiy_lab.transports.browser import BrowserTransport")
    (said_after,) = notebook.value(
        "[t.clear_secs for t in gc.get_objects() if isinstance(t, BrowserTransport)]"
    )
    record_property("ms as the page says", round(said_after * 1000))
    assert silent_after < said_after + 0.06
    # the recording can't wait for that: it takes a guess, and leaves out what was cleared
    recorded_after = seconds_to_silence(agent / 32768, rate_in_call) - interrupted_at
    assert recorded_after < browser.LEAD_SECS


def test_the_controls(open_notebook, silent, screenshots):
    notebook = open_notebook(SESSION, START)
    notebook.run(0)
    notebook.run(1)
    strip = notebook.output(1).locator(".plm-root")
    button = strip.get_by_role("button", name="Start microphone")
    strip.get_by_text("Ready when you are").wait_for()
    assert notebook.value("call.state") == "starting"
    notebook.screenshot(screenshots / "ready-light.png", of=strip)
    button.focus()
    notebook.page.keyboard.press("Enter")  # by keyboard alone
    notebook.wait_for("call.state == 'listening'")
    notebook.screenshot(screenshots / "live-light.png", of=strip)

    assert strip.get_by_role("button", name="Mute").evaluate("e => e === document.activeElement")
    notebook.page.keyboard.press("Space")
    strip.get_by_text("Muted").wait_for()
    assert strip.get_by_role("meter").get_attribute("aria-valuenow") is not None
    notebook.wait_for("[e.muted for e in call.events.of(E.UserMuted)] == [True]")
    notebook.theme("dark")
    notebook.screenshot(screenshots / "muted-dark.png", of=strip)
    notebook.execute("call.mute(False)")  # the kernel's word shows in the page
    strip.get_by_text("Listening").wait_for()
    assert notebook.value("[e.muted for e in call.events.of(E.UserMuted)]") == [True, False]

    devices = strip.get_by_label("Input device")
    names = devices.locator("option").all_inner_texts()
    devices.select_option(names[-1])
    notebook.wait_for(
        f"[e.device for e in call.events.of(E.AudioDeviceOpened) if e.side == 'input'][-1]"
        f" == {names[-1]!r}"
    )
    notebook.page.set_viewport_size({"width": 700, "height": 600})
    notebook.screenshot(screenshots / "live-dark-700.png")
    assert strip.evaluate("e => e.scrollWidth <= e.clientWidth")
    notebook.page.set_viewport_size({"width": 1100, "height": 800})
    notebook.theme("light")

    strip.get_by_role("button", name="Hang up").click()
    notebook.wait_for("call.end_reason == 'hung_up'")
    notebook.output(1).get_by_text("microphone is closed").wait_for()
    assert strip.count() == 0
    assert not [line for line in notebook.console if "piopiy" in line or "plm" in line]


def test_a_reload_goes_on_with_the_call(open_notebook, spoken):
    notebook = open_notebook(SESSION, START)
    start(notebook)
    notebook.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    notebook.execute(f"call.say({LONG!r})")  # the page is loaded while the agent speaks
    notebook.reload()
    strip = notebook.output(1).locator(".plm-root")
    strip.get_by_text("Listening").wait_for()
    reloaded_at = notebook.value("call.events.now()")
    assert len(notebook.value("[e.device for e in call.events.of(E.AudioDeviceOpened)]")) == 4
    # The sentence comes again and again; one of them may have begun while the page was away.
    after = f"[e.text for e in call.events.of(E.Transcribed) if e.at > {reloaded_at}]"
    notebook.wait_for(f"{SAID!r} in {after}")
    notebook.execute("call.hang_up()")
    notebook.wait_for("call.end_reason == 'hung_up'")


def test_the_tab_that_starts_last_has_the_call(open_notebook, silent):
    first = open_notebook(SESSION, START)
    start(first)
    first.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    second = open_notebook(name=first.name)
    in_first = first.output(1).locator(".plm-root")
    in_second = second.output(1).locator(".plm-root")
    in_second.get_by_text("In use in another tab").wait_for()
    assert "Listening" in in_first.inner_text()
    in_second.get_by_role("button", name="Use it here").click()
    in_second.get_by_text("Listening").wait_for()
    in_first.get_by_text("In use in another tab").wait_for()
    level = "len(call.events.of(E.LevelMeasured))"
    before = second.value(level)
    second.wait_for(f"{level} > {before} + 5")  # and its audio arrives
    in_first.get_by_role("button", name="Hang up").click()  # either tab may
    second.wait_for("call.end_reason == 'hung_up'")


def test_a_cell_without_await_loses_audio_and_says_so(open_notebook, silent):
    from playwright.sync_api import TimeoutError as NotSeenError

    notebook = open_notebook(SESSION, START, "import time; time.sleep(3)")
    strip = start(notebook)
    notebook.wait_for("len(call.events.of(E.LevelMeasured)) > 10")  # audio flows, and in time
    notebook.run(2, wait=False)  # the note goes away after a while
    try:
        strip.get_by_text("kernel was busy").wait_for()
    except NotSeenError as error:
        seen = notebook.value("[(e.at, type(e).__name__) for e in call.events][-40:]")
        raise AssertionError(f"no note; the strip says {strip.inner_text()!r}; {seen}") from error
    dropped = notebook.wait_for(
        "[(e.where, e.cause, e.secs) for e in call.events.of(E.AudioDropped)]"
    )
    assert {(where, cause) for where, cause, _ in dropped} == {("input", "stale")}
    notebook.page.wait_for_timeout(1200)  # a second event sums up what came with the first
    dropped = notebook.value("[e.secs for e in call.events.of(E.AudioDropped)]")
    assert 1.0 < sum(dropped) < 3.5
    assert notebook.value("call.state") == "listening"
    notebook.execute("call.hang_up()")
    notebook.wait_for("call.end_reason == 'hung_up'")


def test_a_kernel_that_restarts_closes_the_microphone(open_notebook, silent):
    spy = """
        const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        window.tracks = [];
        navigator.mediaDevices.getUserMedia = async (wanted) => {
          const stream = await open(wanted);
          window.tracks.push(...stream.getTracks());
          return stream;
        };"""
    notebook = open_notebook(SESSION, START, before=lambda page: page.add_init_script(spy))
    start(notebook)
    assert notebook.page.evaluate("tracks.map(t => t.readyState)") == ["live"]
    kernel = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"
    notebook.page.evaluate(f"{kernel}.restart()")
    notebook.page.wait_for_function("tracks.every(t => t.readyState === 'ended')")


def failed(notebook):
    """Run the cells, press the button if there is one to press, and return the strip's text."""
    notebook.run(0)
    notebook.run(1)
    strip = notebook.output(1).locator(".plm-root")
    strip.wait_for()
    notebook.page.wait_for_function(
        "() => !['starting', undefined].includes(document.querySelector('.plm-root')?.dataset.look)"
    )
    if strip.get_attribute("data-look") == "ready":
        strip.get_by_role("button", name="Start microphone").click()
    notebook.wait_for("call.end_reason == 'error'")
    strip.locator(".plm-note").wait_for()
    return strip


def test_a_denied_microphone_is_a_typed_error_with_a_remedy(open_notebook, silent, screenshots):
    notebook = open_notebook(SESSION, START)
    browser = notebook.page.context.new_cdp_session(notebook.page)
    deny = {"permission": {"name": "microphone"}, "setting": "denied"}
    browser.send("Browser.setPermission", deny)
    try:
        strip = failed(notebook)
    finally:
        browser.send("Browser.setPermission", {**deny, "setting": "granted"})
    notebook.screenshot(screenshots / "denied.png", of=strip)
    assert notebook.value("type(call.error).__name__") == "MicrophoneDeniedError"
    assert notebook.value("str(call.error)") == strip.locator(".plm-note").text_content()
    assert "icon beside the address" in strip.inner_text()


def test_a_computer_without_a_microphone(open_notebook, silent):
    # Chromium's fake devices can't be taken away, so the page is told what Chrome says without any
    raising = (
        "navigator.mediaDevices.getUserMedia = async () => "
        "{ throw new DOMException('Requested device not found', 'NotFoundError') }"
    )
    notebook = open_notebook(SESSION, START, before=lambda page: page.add_init_script(raising))
    strip = failed(notebook)
    assert notebook.value("type(call.error).__name__") == "NoMicrophoneError"
    assert "Requested device not found" in strip.inner_text()


def test_an_insecure_page_is_told_what_to_do(open_notebook, silent):
    notebook = open_notebook(SESSION, START, host=INSECURE_HOST)
    strip = failed(notebook)
    assert notebook.value("type(call.error).__name__") == "InsecurePageError"
    assert "ssh -L" in strip.inner_text()
