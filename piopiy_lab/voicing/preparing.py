"""``prepared(caller)``: the caller whose texts have been spoken, before a call."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.sounds import texts_of
from piopiy_lab.screenplay.voice import Spoken
from piopiy_lab.voicing.shaping import varied
from piopiy_lab.voicing.sources import source_of

T = TypeVar("T")

#: Bytes of samples that are held in memory.
MEMORY_BYTES = 64 << 20


class _Memory:
    """What was spoken last, up to a number of bytes; the one used longest ago goes first."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # held while texts are spoken: nothing is spoken twice
        self._kept: OrderedDict[object, Spoken] = OrderedDict()
        self._size = 0  # bytes of samples

    def get(self, key: object) -> Spoken | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: object, spoken: Spoken) -> None:
        if key is None or key in self._kept:
            return
        self._kept[key] = spoken
        self._size += spoken.samples.nbytes
        while self._size > MEMORY_BYTES:
            self._size -= self._kept.popitem(last=False)[1].samples.nbytes

    def clear(self) -> None:
        with self.lock:
            self._kept.clear()
            self._size = 0


class _Prepared(dict[str, Spoken]):
    """What a voice said, and which: so that a caller who travels need not be prepared again."""

    def __init__(self, spoken: dict[str, Spoken], caller: Caller) -> None:
        super().__init__(spoken)
        self._voice, self._vary = caller.voice, caller.vary

    def is_of(self, caller: Caller) -> bool:
        """Whether a caller with these has nothing left to be spoken."""
        same = (self._voice is caller.voice or self._voice == caller.voice) and (
            self._vary == caller.vary
        )
        return same and all(text in self for text in texts_of(caller))

    def __reduce__(self) -> tuple[object, ...]:
        voiced = Caller(self._voice, vary=self._vary)
        return _Prepared, (dict(self), voiced)


_memory = _Memory()


def forget() -> None:
    """Forget what is held in memory; what is on disk stays."""
    _memory.clear()


def prepared(caller: Caller) -> Caller:
    """Return a caller whose voice has said every text of theirs: ``Caller.spoken``.

    With an espeak-ng voice that is the caller as they are. A service speaks what isn't in the
    cache, on a thread of its own with a loop in real time; this blocks meanwhile. Any thread.

    Args:
        caller: Whose texts.

    Raises:
        ArgumentError: There is no voice of that name.
        VoiceError: The voice fails, gives no sound, or has no clip for a text; names it.
        AudioFileError: A clip can't be read.
        MissingExtraError: The service's packages aren't installed.
        MissingKeyError: Its key isn't set.
    """
    if isinstance(caller.spoken, _Prepared) and caller.spoken.is_of(caller):
        return caller
    source = source_of(caller.voice)
    if source is None:
        return caller
    spoken: dict[str, Spoken] = {}
    lacking: list[str] = []
    with _memory.lock:
        for text in dict.fromkeys(texts_of(caller)):
            key = source.key(text)
            found = (None if key is None else _memory.get(key)) or source.kept(text)
            if found is None:
                lacking.append(text)
            else:
                spoken[text] = found
        if lacking:
            spoken.update(_off_loop(lambda: source.speak(lacking)))
        for text, one in spoken.items():
            _memory.put(source.key(text), one)
    said = {text: varied(one, caller.vary) for text, one in spoken.items()}
    return replace(caller, spoken=_Prepared(said, caller))


async def prepared_aside(caller: Caller) -> Caller:
    """Return :func:`prepared`, on a thread where something has to be spoken or read.

    Raises:
        PiopiyLabError: As there.
    """
    ready = isinstance(caller.spoken, _Prepared) and caller.spoken.is_of(caller)
    if ready or source_of(caller.voice) is None:
        return caller
    return await asyncio.to_thread(prepared, caller)


def _off_loop(work: Callable[[], T]) -> T:
    """Do something on a thread that has no loop, and wait for it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, name="piopiy-lab voice", daemon=True).start()
    return result.result()
