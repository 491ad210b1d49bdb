"""What listening needs of pipecat's insides: checked here, when this is imported.

An analyzer says only when speech starts and stops; how sure it was, how its model is shared, and
what of a turn strategy can still be changed in a call are inside of it.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from onnxruntime import InferenceSession
from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer, EndOfTurnState
from pipecat.audio.turn.smart_turn.base_smart_turn import BaseSmartTurn
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroOnnxModel, SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams, VADState
from pipecat.audio.volume import AudioVolumeTracker
from pipecat.metrics.metrics import MetricsData
from pipecat.turns.user_start import MinWordsUserTurnStartStrategy
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy

from piopiy_lab.listening.blas import one_thread
from piopiy_lab.listening.sound_end import Heard
from piopiy_lab.services.fitting import attributes, expect, method, refuse
from piopiy_lab.services.pure_memory import PureMemory, digest, remembers
from piopiy_lab.sound.pcm import Float32

#: What Silero's analyzer has beside what every analyzer has.
_SILERO = frozenset({"_model", "_windows_since_reset", "_low_confidence_windows"})

_LOG, _SHARED, _TURN = "the log of a detector", "the shared Silero", "the shared Smart Turn"
_WAIT, _ENDS = "tune(incomplete_wait_secs=...)", "the end of a turn"
_LOOKS = "the early look of the turn model"
_Stop = TurnAnalyzerUserTurnStopStrategy

RELIED_ON = (
    method(VADAnalyzer, "analyze_audio", "buffer", needed_by=_LOG),
    method(VADAnalyzer, "_run_analyzer", "buffer", needed_by=_SHARED),
    method(VADAnalyzer, "voice_confidence", "buffer", needed_by=_LOG),
    method(VADAnalyzer, "_get_smoothed_volume", "audio", needed_by=_LOG),
    *attributes(VADAnalyzer, "_volume_tracker", needed_by=_SHARED),
    *attributes(SileroVADAnalyzer, *sorted(_SILERO), needed_by=_SHARED),
    *attributes(
        SileroOnnxModel, "_state", "_context", "_last_sr", "_last_batch_size", needed_by=_SHARED
    ),
    method(SileroVADAnalyzer, "_maybe_reset_model", "confidence", needed_by=_SHARED),
    *attributes(AudioVolumeTracker, "_volume", "_buffer", "_sample_rate", needed_by=_SHARED),
    *attributes(BaseSmartTurn, "_stop_ms", needed_by=_WAIT),
    method(BaseSmartTurn, "_predict_endpoint", "audio_array", needed_by="other turn models"),
    method(LocalSmartTurnAnalyzerV3, "_predict_endpoint", "audio_array", needed_by=_TURN),
    *attributes(LocalSmartTurnAnalyzerV3, "_session", "_log_data", needed_by=_TURN),
    *attributes(InferenceSession, "_model_path", needed_by=_TURN),
    *attributes(BaseTurnAnalyzer, "_sample_rate", needed_by=_TURN),
    *attributes(_Stop, "_turn_analyzer", needed_by=_WAIT),
    *attributes(
        _Stop,
        *("_vad_user_speaking", "_vad_stopped", "_turn_complete", "_timeout_task"),
        *("_stt_timeout", "_timeout_handler"),
        needed_by=_ENDS,
    ),
    method(_Stop, "_handle_vad_user_stopped_speaking", "frame", needed_by=_ENDS),
    *attributes(BaseSmartTurn, "_audio_buffer", "_model_executor", needed_by=_LOOKS),
    method(BaseSmartTurn, "_process_speech_segment", "audio_buffer", needed_by=_LOOKS),
    *attributes(MinWordsUserTurnStartStrategy, "_min_words", needed_by="tune(min_words=...)"),
)
expect(RELIED_ON)

# --- how sure the detector was ----------------------------------------------------------------


def wrap_judgement(
    analyzer: VADAnalyzer,
    *,
    voice_confidence: Callable[[bytes], Any],
    analyze_audio: Callable[[bytes], object],
    heard_volume: Callable[[float], None],
) -> Callable[[], None]:
    """Put functions of ours in the place of an analyzer's, on this object alone.

    Missing: an event with the confidence and the volume of each window. A subclass would not do,
    for the analyzer may be the user's own.

    Args:
        analyzer: The analyzer.
        voice_confidence: In the place of its own.
        analyze_audio: In the place of its own.
        heard_volume: Called with the smoothed volume of each window, after ``voice_confidence``.

    Returns:
        A function that takes them off again.
    """
    volume_of = analyzer._get_smoothed_volume

    def smoothed_volume(audio: bytes) -> float:
        volume = volume_of(audio)
        heard_volume(volume)
        return volume

    ours: dict[str, Any] = {
        "voice_confidence": voice_confidence,
        "analyze_audio": analyze_audio,
        "_get_smoothed_volume": smoothed_volume,
    }
    for name, function in ours.items():
        setattr(analyzer, name, function)

    def unwrap() -> None:
        for name in ours:
            vars(analyzer).pop(name, None)

    return unwrap


# --- one model for all calls ------------------------------------------------------------------

Judged = tuple[Float32, Float32, Float32]

_loading = threading.Lock()  # guards both: calls begin on the threads of several loops
_silero: SileroVADAnalyzer | None = None
_smart_turn: LocalSmartTurnAnalyzerV3 | None = None

#: What Silero made of a window, by that and the state it was in: the confidence, the next state and
#: the next context; 1.8 kB, so 30 MB at the most.
_windows: PureMemory[Judged] = PureMemory(16384)
#: The same of digital silence, in live calls too: it makes long ones cheap.
_silences: PureMemory[Judged] = PureMemory(4096, lasting=True)
#: The shared Smart Turn's verdicts, of simulations.
_verdicts: PureMemory[dict[str, Any]] = PureMemory(4096)


class SharedSileroVADAnalyzer(SileroVADAnalyzer):
    """pipecat's Silero analyzer, whose ONNX session is loaded once per process.

    Loading the model takes about 35 ms; every analyzer has a state of its own all the same. What
    the model made of a window is remembered by the state that it was in, exactly: it is a function
    of both. The analyzer says when the state is reset; it looks at a remembered answer, too.

    Missing: a way to give an analyzer a model that is loaded.
    """

    def __init__(self, *, sample_rate: int | None = None, params: VADParams | None = None) -> None:
        """Make an analyzer; arguments as for ``SileroVADAnalyzer``.

        Raises:
            IncompatibleVersionError: pipecat's has other parts, which may not be for sharing.
        """
        global _silero
        with _loading:
            if _silero is None:
                _silero = SileroVADAnalyzer()  # never used: its thread is never started
        VADAnalyzer.__init__(self, sample_rate=sample_rate, params=params)
        parts = set(vars(_silero)) - set(vars(self))
        if parts != _SILERO:
            has = ", ".join(sorted(parts))
            refuse(_silero, f"{{package}}'s SileroVADAnalyzer has {has}: not what {_SHARED} knows")
        for name in parts:
            setattr(self, name, copy.copy(getattr(_silero, name)))
        self._model.reset_states()
        self._windows_since_reset = self._low_confidence_windows = 0
        self._volume_tracker = SilenceAwareVolumeTracker()
        self._asking = False  # the model, for an answer that is to be remembered
        self._left: Any = None  # its state and context after that, before a reset

    async def analyze_audio(self, buffer: bytes) -> VADState:
        """Judge what comes, on the session's loop.

        pipecat does on a thread. A window takes 0.3 ms of CPU, and the way to a thread and back for
        each 20 ms of a call takes more.
        """
        return self._run_analyzer(buffer)

    def voice_confidence(self, buffer: bytes) -> Any:
        """Return the model's confidence for one window, 0..1."""
        model = self._model
        silent = buffer.count(0) == len(buffer)
        if not (silent or remembers()):
            return super().voice_confidence(buffer)
        state, context = model._state.tobytes(), model._context.tobytes()
        key = (
            (self.sample_rate, model._last_sr, model._last_batch_size, len(context)),
            (state, context) if silent else digest(state, context, buffer),
        )
        memory = _silences if silent else _windows
        known = memory.get(key)
        if known is None:
            self._left, self._asking = None, True
            confidence: Any = super().voice_confidence(buffer)
            self._asking = False
            if self._left is not None:  # else pipecat's failed, and says 0
                left, samples = self._left
                known = confidence, left, samples.copy()  # not the window that it is a part of
                for array in known:
                    array.setflags(write=False)  # everybody's from now on
                memory.put(key, known)
            return confidence
        confidence, model._state, model._context = known
        model._last_sr, model._last_batch_size = self.sample_rate, 1
        self._maybe_reset_model(float(confidence.item()))
        return confidence

    def _maybe_reset_model(self, confidence: float) -> None:
        """Take what the model left behind, before it may be reset."""
        if self._asking:
            self._left = self._model._state, self._model._context
        super()._maybe_reset_model(confidence)


class SilenceAwareVolumeTracker(AudioVolumeTracker):
    """pipecat's volume tracker, which measures a window of digital silence once per process.

    Missing: a tracker that can be given to an analyzer.
    """

    _of_silence: ClassVar[dict[tuple[int, int], float]] = {}  # (rate, bytes) -> volume

    @property
    def volume(self) -> float:
        """The volume of the rolling window, 0..1."""
        if self._volume is None and self._buffer.count(0) == len(self._buffer):
            key = (self._sample_rate, len(self._buffer))
            if key not in self._of_silence:
                self._of_silence[key] = super().volume
            self._volume = self._of_silence[key]
        return super().volume


class FrugalSmartTurn(LocalSmartTurnAnalyzerV3):
    """pipecat's Smart Turn, which keeps to the one core that it needs, and knows what it heard.

    Its verdict is a function of the samples and their rate. Missing: a way to say how many threads
    its features may take, and to be asked before the model is.
    """

    def _predict_endpoint(self, audio_array: Float32) -> dict[str, Any]:
        shared = _smart_turn is not None and self._session is _smart_turn._session
        if not (shared and remembers()) or self._log_data:
            return self._new_verdict(audio_array)
        key = self._sample_rate, len(audio_array), digest(audio_array.tobytes())
        known = _verdicts.get(key) or _verdicts.put(key, self._new_verdict(audio_array))
        return dict(known)

    def _new_verdict(self, audio_array: Float32) -> dict[str, Any]:
        with one_thread():
            return super()._predict_endpoint(audio_array)


def shared_smart_turn(params: object) -> LocalSmartTurnAnalyzerV3:
    """Return a Smart Turn analyzer on the process's one ONNX session (43 ms to load).

    A copy, made new with its public ``clear()``. Missing: a way to give it a loaded session.

    Args:
        params: pipecat's ``SmartTurnParams``; the same for every analyzer.

    Raises:
        IncompatibleVersionError: It has parts that a copy shares and ``clear()`` leaves.
    """
    loaded = _load_smart_turn(params)
    analyzer = copy.copy(loaded)  # never used itself, so it holds no audio and no thread
    analyzer.clear()
    for name, value in vars(loaded).items():
        own = isinstance(value, list | dict | set) or hasattr(value, "submit")  # an executor
        if own and vars(analyzer)[name] is value:
            refuse(loaded, f"{{package}}'s Smart Turn has {name}, which its calls would share")
    return analyzer


def _load_smart_turn(params: object = None) -> LocalSmartTurnAnalyzerV3:
    global _smart_turn
    with _loading:
        if _smart_turn is None:
            _smart_turn = FrugalSmartTurn(params=params)
    return _smart_turn


class SharedSmartTurn(FrugalSmartTurn):
    """pipecat's Smart Turn on the process's one ONNX session: made as it is, with its arguments.

    A model or a number of cores of its own is loaded as ever.
    """

    def __init__(
        self, *, smart_turn_model_path: str | None = None, cpu_count: int = 1, **kwargs: Any
    ) -> None:
        """Make an analyzer; arguments as for ``LocalSmartTurnAnalyzerV3``."""
        if smart_turn_model_path is not None or cpu_count != 1:
            super().__init__(
                smart_turn_model_path=smart_turn_model_path, cpu_count=cpu_count, **kwargs
            )
            return
        loaded = _load_smart_turn()
        BaseSmartTurn.__init__(self, **kwargs)
        for name in set(vars(loaded)) - set(vars(self)):  # the session, and what goes with it
            setattr(self, name, vars(loaded)[name])


# --- a verdict before it is asked for ---------------------------------------------------------

#: Asks a model: float32 samples of -1 to 1 and their rate in Hz; how sure it is of an end, 0 to 1.
Asked = Callable[[Float32, int], float]
#: What an analyzer says of a turn.
Verdict = tuple[EndOfTurnState, MetricsData | None]


def can_look(analyzer: BaseTurnAnalyzer) -> bool:
    """Tell whether an analyzer judges a whole turn at once, on what it has kept of it.

    One that follows the sound as it comes (Krisp's) does its looking itself.
    """
    usual = BaseSmartTurn.analyze_end_of_turn
    return isinstance(analyzer, BaseSmartTurn) and type(analyzer).analyze_end_of_turn is usual


def heard_by(analyzer: BaseTurnAnalyzer) -> Heard:
    """Return a copy of what an analyzer has kept. Missing: a way to see it."""
    assert isinstance(analyzer, BaseSmartTurn), "only of what can look"
    return list(analyzer._audio_buffer)


def judge(analyzer: BaseTurnAnalyzer, heard: Heard) -> asyncio.Future[Verdict]:
    """Have the model judge, on its own thread; nothing is changed. On the session's loop.

    Missing: a way to ask it that leaves what it has heard.
    """
    assert isinstance(analyzer, BaseSmartTurn), "only of what can look"
    loop = asyncio.get_running_loop()
    return loop.run_in_executor(analyzer._model_executor, analyzer._process_speech_segment, heard)


class ThresholdSmartTurn(SharedSmartTurn):
    """pipecat's Smart Turn with a threshold, or a model, of one's own. Missing: parameters for it.

    Attributes:
        threshold: A verdict above it is "complete", 0 to 1.
        model: What is asked in the place of Smart Turn; None: Smart Turn itself.
    """

    def __init__(self, threshold: float, model: Asked | None = None, **kwargs: Any) -> None:
        """Make an analyzer; further arguments as for ``LocalSmartTurnAnalyzerV3``."""
        super().__init__(**kwargs)
        self.threshold, self.model = threshold, model

    def _predict_endpoint(self, audio_array: Float32) -> dict[str, Any]:
        if self.model is None:
            verdict = super()._predict_endpoint(audio_array)
        else:
            verdict = {"probability": self.model(audio_array, self.sample_rate)}
        return {**verdict, "prediction": int(verdict["probability"] > self.threshold)}


def asked(analyzer: BaseSmartTurn, samples: Float32) -> Any:
    """Return what an analyzer says of a turn, by name. Missing: a public way to ask it."""
    return analyzer._predict_endpoint(samples)


# --- what of the turns can be changed in a call -----------------------------------------------


def turn_analyzer_of(strategy: object) -> object:
    """Return the analyzer of a strategy for turns' ends, if it has one. Missing: a property."""
    analyzer = strategy._turn_analyzer if isinstance(strategy, _Stop) else None
    return getattr(analyzer, "looking", analyzer)  # below what looks early


def is_smart_turn(analyzer: object) -> bool:
    """Tell whether an analyzer asks the model that pipecat brings. Missing: its file's name."""
    if not isinstance(analyzer, LocalSmartTurnAnalyzerV3) or getattr(analyzer, "model", None):
        return False
    ours = type(analyzer).__module__ in (__name__, LocalSmartTurnAnalyzerV3.__module__)
    return ours and analyzer._session._model_path == _load_smart_turn()._session._model_path


def incomplete_wait_secs(analyzer: BaseSmartTurn) -> float:
    """Return for how long an analyzer waits after a turn that sounded incomplete.

    ``params.stop_secs`` is what it was made with; it goes by another number from then on.
    """
    return analyzer._stop_ms / 1000


def set_incomplete_wait(analyzer: BaseSmartTurn, secs: float) -> None:
    """Change that, from the next pause on. Missing: a setter for Smart Turn's parameters."""
    analyzer._stop_ms = secs * 1000


def min_words(strategy: MinWordsUserTurnStartStrategy) -> int:
    """Return how many words it takes to interrupt. Missing: a property."""
    return strategy._min_words


def set_min_words(strategy: MinWordsUserTurnStartStrategy, count: int) -> None:
    """Change that, from the next word on. Missing: a setter."""
    strategy._min_words = count
