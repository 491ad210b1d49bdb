"""What an eval in memory needs of the insides of pipecat's harness: checked when this is imported.

Missing: a way to give pipecat's eval client a connection, and to tell it that the bot is there; a
judge like another one with a conversation of its own; the parts of a scenario file as they were
read, before its loader drops what it does not know.
Used on the loop of the eval, but for :func:`scenario_loader`, which any thread may use.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any

import yaml
from pipecat.classifiers.base_classifier import BaseClassifier
from pipecat.evals import judge as judge_module
from pipecat.evals import scenario as scenario_module
from pipecat.evals import suite
from pipecat.evals.client import EvalClient
from pipecat.evals.judge import EvalJudge
from pipecat.evals.scenario import EvalKind
from pipecat.evals.script_session import EvalScriptSession
from pipecat.evals.session import EvalSession
from pipecat.evals.simulation_session import EvalSimulationSession
from pipecat.evals.suite import EvalRun
from pipecat.evals.tts import CachingTTSService
from pipecat.frames.frames import Frame, TTSAudioRawFrame
from pipecat.transports.websocket import client as websocket_client

from piopiy_lab.evals.wire import End
from piopiy_lab.services.fitting import attributes, expect, method

_JOINING = "an eval that runs in memory"
#: What pipecat's WebSocket client connects with: websockets' own ``connect``.
_DIALS = "websocket_connect"
_JUDGING = "a judge that several runs of an eval share"
#: What a judge keeps of the questions that it was asked.
_KEPT = ("_cache", "_run_cache", "_setup_task")
_RESULTS = "pipecat's results file of an eval"
_READING = "the check of an eval file's names"

RELIED_ON = (
    *attributes(websocket_client, _DIALS, needed_by=_JOINING),
    *attributes(EvalScriptSession, "_client", needed_by=_JOINING),
    *attributes(EvalSimulationSession, "_client", needed_by=_JOINING),
    *attributes(scenario_module, "_ScenarioLoader", needed_by=_READING),
    method(EvalClient, "wait_for_bot", needed_by=_JOINING),
    method(EvalClient, "play", "path", needed_by=_JOINING),
    method(CachingTTSService, "run_tts", "text", "context_id", needed_by=_JOINING),
    *attributes(EvalJudge, *_KEPT, "_transcript", "_explainer", needed_by=_JUDGING),
    *attributes(judge_module, "_Explainer", needed_by=_JUDGING),
    method(BaseClassifier, "_ask", "state", "questions", "images", needed_by="a judge by rules"),
    method(suite, "_scenario_record", "run", "artifacts", needed_by=_RESULTS),
    method(suite, "_simulation_record", "run", "artifacts", needed_by=_RESULTS),
)
expect(RELIED_ON)

#: Connects: returns the client's end of the line.
Dial = Callable[[], Awaitable[End]]


#: What is dialled now, by address; under the lock.
_lines: dict[str, Dial] = {}
_lock = threading.Lock()


@contextlib.contextmanager
def dialled(dial: Dial) -> Iterator[str]:
    """Give an address at which pipecat's WebSocket clients get what ``dial`` returns.

    Every other address is connected to as ever. Evals may run in several threads at once.
    """
    with _lock:
        free = (f"ws://piopiy-lab/{number}" for number in itertools.count(1))
        address = next(one for one in free if one not in _lines)
        if not _lines:
            _connect.original = getattr(websocket_client, _DIALS)
            setattr(websocket_client, _DIALS, _connect)
        _lines[address] = dial
    try:
        yield address
    finally:
        with _lock:
            del _lines[address]
            if not _lines:
                setattr(websocket_client, _DIALS, _connect.original)


class _Connect:
    """Stands in for ``websockets.connect`` in pipecat's module while an eval runs."""

    original: Any = None  # websockets' own; under the lock

    def __call__(self, *args: Any, uri: str, **kwargs: Any) -> Any:
        with _lock:
            dial = _lines.get(uri.partition("?")[0])
            original = self.original
        return original(*args, uri=uri, **kwargs) if dial is None else dial()


_connect: Any = _Connect()


def bot_is_there(session: EvalSession[Any]) -> None:
    """Let a session's client not look for the bot's port: there is none."""

    async def at_once() -> None:
        pass

    session._client.wait_for_bot = at_once  # type: ignore[method-assign]


def fresh(given: EvalJudge) -> EvalJudge:
    """Return a judge like another, as that was given: what this one is asked leaves it so."""
    own = copy.copy(given)
    own._transcript = [dict(entry) for entry in given._transcript]
    own._cache, own._run_cache, own._setup_task = {}, {}, None
    if given._explainer is not None:
        own._explainer = copy.copy(given._explainer)
        own._explainer._cache, own._explainer._run_cache = {}, {}
    return own


def tell_texts(voice: CachingTTSService, told: Callable[[str, bytes, int], None]) -> None:
    """Have somebody told of each text that a voice has made sound of, its int16, and its rate."""
    speak = voice.run_tts

    async def telling(text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        frames = [frame async for frame in speak(text, context_id)]
        sound = b"".join(f.audio for f in frames if isinstance(f, TTSAudioRawFrame))
        told(text, sound, voice.sample_rate)
        for frame in frames:
            yield frame

    voice.run_tts = telling  # type: ignore[method-assign]  # as pipecat's client tags its STT


def play_recordings(session: EvalSession[Any], prepared: Callable[[str], str]) -> None:
    """Have each recording prepared that a session's client is about to play.

    Args:
        session: pipecat's session.
        prepared: Takes a recording's path, and returns that of the one to play.
    """
    play = session._client.play

    async def prepare(path: str) -> None:
        await play(prepared(path))

    session._client.play = prepare  # type: ignore[method-assign]


@contextlib.contextmanager
def scenario_loader(text: str) -> Iterator[yaml.SafeLoader]:
    """Give pipecat's own YAML loader over a file's text: it reads numbers as its scenarios want."""
    loader = scenario_module._ScenarioLoader(text)
    try:
        yield loader
    finally:
        loader.dispose()


def record_of(run: EvalRun) -> dict[str, object]:
    """Return what pipecat's suite writes into ``results.jsonl`` of a run, without its artifacts.

    Its own ``_append_result`` passes over a file that can't be written.
    """
    simulated = run.kind == EvalKind.SIMULATION
    record = suite._simulation_record if simulated else suite._scenario_record
    return record(run, {})
