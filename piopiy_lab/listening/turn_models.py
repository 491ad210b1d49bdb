"""Turn models of somebody else's: what is asked in Smart Turn's place, and what it may say."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, SupportsFloat

from pipecat.audio.turn.smart_turn.base_smart_turn import BaseSmartTurn, SmartTurnParams

from piopiy_lab.checks.texts import described, shown
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.listening import seams
from piopiy_lab.sound.pcm import Float32

#: The name of the model that pipecat brings, and a call has.
SMART_TURN = "Smart Turn"
#: Above it a model takes the turn for over (pipecat's Smart Turn), unless a threshold is given.
HALF = 0.5
IS_ASYNC = "is async: give a function that returns its answer"
#: What rounding may add to 1 in float32.
ROUNDED = 1e-6
#: A turn model: pipecat's kind (``BaseSmartTurn``), or a function that is given float32 samples of
#: -1 to 1, those of the turn so far, and their rate in Hz (16000 or 8000), and returns how sure it
#: is that the turn is over, 0 to 1.
TurnModel = BaseSmartTurn | Callable[[Float32, int], SupportsFloat]


def name_of(model: object) -> str:
    """Return a model's name: a function's own, or its class's."""
    name = getattr(model, "__name__", None)
    return name if isinstance(name, str) else type(model).__name__


def name_of_analyzer(analyzer: object) -> str:
    """Return the name of the model that an analyzer asks."""
    if seams.is_smart_turn(analyzer):
        return SMART_TURN
    if isinstance(analyzer, seams.ThresholdSmartTurn) and isinstance(analyzer.model, Asking):
        return analyzer.model.name
    return type(analyzer).__name__


class Asking:
    """Asks a turn model, and checks what it says. In the thread that asks.

    Attributes:
        name: What it is called.
        most_secs: Seconds of sound that it is given at the most.
    """

    def __init__(self, model: object, *, of: str, name: str | None = None) -> None:
        """Take a model.

        Args:
            model: See ``TurnModel``.
            of: What it was given to, for messages.
            name: What it is called; None: its own name.

        Raises:
            ArgumentTypeError: It is none.
            ArgumentError: It can't be asked of a stretch of sound.
        """
        called = f"{of}: the turn model" if name is None else f"{of}: the turn model {name!r}"
        if isinstance(model, type) or not (isinstance(model, BaseSmartTurn) or callable(model)):
            raise ArgumentTypeError(
                f"{called} is {shown(model)}: give a pipecat turn analyzer, or a function of "
                "float32 samples and their rate that returns how sure it is of an end, 0 to 1"
            )
        usual = name_of_analyzer(model) if isinstance(model, BaseSmartTurn) else name_of(model)
        self.name = usual if name is None else name
        if (why := _why_not(model)) is not None:
            raise ArgumentError(f"{of}: the turn model {self.name!r} {why}")
        self._model, self._of = model, of
        analyzer = model if isinstance(model, BaseSmartTurn) else None
        params = SmartTurnParams() if analyzer is None else analyzer.params
        self.most_secs: float = params.max_duration_secs

    def __call__(self, samples: Float32, rate: int) -> float:
        """Return how sure it is that a turn is over, 0 to 1.

        Args:
            samples: float32, (n,), -1 to 1: of the turn so far.
            rate: Hz.

        Raises:
            ArgumentError: It failed, or said something else.
        """
        model = self._model
        if isinstance(model, BaseSmartTurn) and not _hears(model, rate):
            raise self._error(
                f"hears {model.sample_rate} Hz, and this sound is at {rate}: make it without a "
                "rate of its own"
            )
        try:
            said, over = self._said(samples, rate)
        except ArgumentError:
            raise
        except Exception as error:
            raise self._error(
                f"failed on {len(samples) / rate:.2f} s of sound at {rate} Hz: {described(error)}"
            ) from error
        sure = _number(said)
        if sure is None or not 0 <= sure <= 1 + ROUNDED:
            raise self._error(
                f"said {shown(said)}: let it return how sure it is that the turn is over, 0 to 1"
            )
        if over is not None and bool(over) != (sure > HALF):
            raise self._error(
                f"decides otherwise than by its probability (prediction {shown(over)} at "
                f"{sure:.3f}), so no threshold tells what it does: give a function that returns "
                f"more than {HALF} where it decides that the turn is over"
            )
        return min(sure, 1.0)

    def _said(self, samples: Float32, rate: int) -> tuple[object, object]:
        """Return what it says, and what it decides by itself; None: it is a function."""
        model = self._model
        if isinstance(model, BaseSmartTurn):
            verdict = self._there(seams.asked(model, samples))
            return verdict["probability"], verdict["prediction"]
        assert callable(model), "checked when it was taken"
        return self._there(model(samples.copy(), rate)), None  # it may keep them, or change them

    def _there(self, answer: Any) -> Any:
        """Return an answer; one that is to be awaited is none."""
        if inspect.iscoroutine(answer):
            answer.close()
            raise self._error(IS_ASYNC)
        return answer

    def _error(self, what: str) -> ArgumentError:
        return ArgumentError(f"{self._of}: the turn model {self.name!r} {what}")


def askers_of(given: object) -> dict[str, Asking]:
    """Return what asks each of the models that a sweep was given, by its name.

    Raises:
        ArgumentError: A name is none, or a model can't be asked of a stretch of sound.
        ArgumentTypeError: It is no mapping, or holds something else than models.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ArgumentTypeError(
            f"turn_sweep(turn_models={shown(given)}): give a mapping of names to turn models"
        )
    found: dict[str, Asking] = {}
    for name, model in given.items():
        plain = isinstance(name, str) and name.isprintable() and name == name.strip() != ""
        if not plain or name.casefold() == SMART_TURN.casefold():
            raise ArgumentError(
                f"turn_sweep(turn_models=...): {shown(name)} is no name for a turn model: give a "
                f"line that says which it is ({SMART_TURN!r} is tried in any case)"
            )
        found[name] = Asking(model, of="turn_sweep(turn_models=...)", name=name)
    return found


def _why_not(model: object) -> str | None:
    """Return why a model can't be asked of a stretch of sound, None if it can."""
    if isinstance(model, BaseSmartTurn):
        if not seams.can_look(model):
            return (
                "follows the sound as it comes, so it can't be asked of a stretch of it: give one "
                "that judges what it is given, or a function"
            )
        if any(kind.__name__ == "HttpSmartTurnAnalyzer" for kind in type(model).__mro__):
            return (
                "asks a server on the call's own loop: give a function that asks it, and waits for "
                "the answer"
            )
    elif inspect.iscoroutinefunction(model):
        return IS_ASYNC
    return None


def _hears(model: BaseSmartTurn, rate: int) -> bool:
    """Whether an analyzer takes sound of a rate in Hz: one made with another doesn't."""
    if model.sample_rate != rate:
        model.set_sample_rate(rate)
    return model.sample_rate == rate


def _number(said: object) -> float | None:
    """Return a number, or the only one in an array or a tensor; None: it is neither."""
    item = getattr(said, "item", None)
    try:
        one: object = item() if callable(item) else said
        return float(one) if isinstance(one, SupportsFloat) and not isinstance(one, bool) else None
    except (TypeError, ValueError, RuntimeError):  # several of them, or complex
        return None
