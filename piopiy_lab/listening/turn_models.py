"""Turn models of somebody else's: what is asked in Smart Turn's place, and what it may say."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import SupportsFloat

import numpy as np
from pipecat.audio.turn.smart_turn.base_smart_turn import BaseSmartTurn

from piopiy_lab.checks.texts import described, shown
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.listening import seams
from piopiy_lab.sound.pcm import Float32

#: The name of the model that pipecat brings, and a call has.
SMART_TURN = "Smart Turn"
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
    """Asks a turn model, and checks what it says. In the thread that asks."""

    def __init__(self, model: object, *, of: str, name: str | None = None) -> None:
        """Take a model.

        Args:
            model: See ``TurnModel``.
            of: What it was given to, for messages.
            name: What it is called; None: its own name.

        Raises:
            ArgumentTypeError: It is none.
            ArgumentError: It follows the sound as it comes, and judges no stretch of it.
        """
        self.name = name_of(model) if name is None else name
        if isinstance(model, BaseSmartTurn) and not seams.can_look(model):
            raise ArgumentError(
                f"{of}: the turn model {self.name!r} follows the sound as it comes, so it can't be "
                "asked of a stretch of it: give one that judges what it is given, or a function"
            )
        if not isinstance(model, BaseSmartTurn) and not callable(model):
            raise ArgumentTypeError(
                f"{of}: the turn model {self.name!r} is {shown(model)}: give a pipecat turn "
                "analyzer, or a function of float32 samples and their rate that returns how sure "
                "it is of an end, 0 to 1"
            )
        self._model, self._of = model, of

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
            raise ArgumentError(
                f"{self._of}: the turn model {self.name!r} hears {model.sample_rate} Hz, and this "
                f"sound is at {rate}: make it without a rate of its own"
            )
        try:
            if isinstance(model, BaseSmartTurn):
                said = seams.asked(model, samples)
            else:
                said = model(samples.copy(), rate)  # it may keep it, or write into it
        except Exception as error:
            raise ArgumentError(
                f"{self._of}: the turn model {self.name!r} failed on {len(samples) / rate:.2f} s "
                f"of sound at {rate} Hz: {described(error)}"
            ) from error
        sure = _number(said)
        if sure is None or not 0 <= sure <= 1:
            raise ArgumentError(
                f"{self._of}: the turn model {self.name!r} said {shown(said)}: let it return how "
                "sure it is that the turn is over, 0 to 1"
            )
        return sure


def _hears(model: BaseSmartTurn, rate: int) -> bool:
    """Whether an analyzer takes sound of a rate in Hz: one made with another doesn't."""
    if model.sample_rate != rate:
        model.set_sample_rate(rate)
    return model.sample_rate == rate


def _number(said: object) -> float | None:
    """Return a number, or the only one in an array; None: it is neither."""
    if isinstance(said, np.ndarray) and said.size == 1:
        said = said.item()
    return float(said) if isinstance(said, Real) and not isinstance(said, bool) else None
