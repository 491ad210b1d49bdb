"""Recognisers for a phrase book: lent to one call at a time, and loaded where nobody waits.

Any thread may borrow one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

from piopiy_lab.offline import decoders, narrow_band
from piopiy_lab.offline.decoders import Decoder
from piopiy_lab.offline.phrases import PhraseBook
from piopiy_lab.offline.recogniser import CEPSTRAL_MEAN, Recogniser
from piopiy_lab.offline.utterance import Ear

P = ParamSpec("P")
T = TypeVar("T")


class Borrowed:
    """A recogniser for a phrase book, lent until :meth:`give_back`; no two calls share one."""

    def __init__(self, book: PhraseBook, pronunciations: Mapping[str, str]) -> None:
        """Borrow one, loading what isn't there.

        Raises:
            MissingExtraError: PocketSphinx isn't installed.
        """
        self._book, self._pronunciations = book, pronunciations
        self._taken: list[tuple[decoders.Key, Decoder]] = []
        self._ears: dict[bool, Ear] = {}  # by whether it is for a telephone's sound
        self.recogniser: Recogniser = Recogniser(self.ear)

    def ear(self, narrow: bool) -> Ear:
        """Return the decoders for a kind of sound, loading them the first time (0.1 s)."""
        if narrow not in self._ears:
            *keys, careful = decoders.keys(self._book, self._pronunciations, narrow=narrow)
            taken = [decoders.take(key) for key in keys]
            decoders.give_back(careful, decoders.take(careful))  # there for a second look
            self._taken += zip(keys, taken, strict=True)
            mean = narrow_band.CEPSTRAL_MEAN if narrow else CEPSTRAL_MEAN
            weight = narrow_band.SCORE_WEIGHT if narrow else 1.0
            grammar, background, front_end = taken
            self._ears[narrow] = Ear(grammar, background, front_end, careful, mean, weight)
        return self._ears[narrow]

    def give_back(self) -> None:
        """Return it, for the next call."""
        self.recogniser.drop()
        for key, decoder in self._taken:
            decoders.give_back(key, decoder)


async def borrow(book: PhraseBook, pronunciations: Mapping[str, str]) -> Borrowed:
    """Borrow a recogniser; what has to be loaded for it is not loaded on the running loop.

    Raises:
        MissingExtraError: PocketSphinx isn't installed.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_loader, load_recogniser, book, pronunciations)


async def prepare(borrowed: Borrowed, *, narrow: bool) -> None:
    """Load what a kind of sound needs; not on the running loop."""
    await asyncio.get_running_loop().run_in_executor(_loader, load_ear, borrowed, narrow)


def load_ear(borrowed: Borrowed, narrow: bool) -> None:
    """Load what a kind of sound needs; another job that simulations run in place."""
    borrowed.ear(narrow)


def load_recogniser(book: PhraseBook, pronunciations: Mapping[str, str]) -> Borrowed:
    """Borrow a recogniser, on any thread; the job that simulations run in place (``jobs.py``)."""
    return Borrowed(book, pronunciations)


class _OneAtATime(Executor):
    """Runs each job on a thread that ends with it, one after the other.

    PocketSphinx holds the interpreter's lock while it loads. Several at once would leave next to
    nothing of it to the calls that run; so would the default executor, and its threads are few.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def run() -> None:
            with self._turn:
                if not future.set_running_or_notify_cancel():
                    return  # the call that wanted it has ended
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:
                    future.set_exception(error)

        threading.Thread(target=run, name="piopiy-lab-loader", daemon=True).start()
        return future


_loader = _OneAtATime()
