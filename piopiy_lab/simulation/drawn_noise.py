"""The same noise in every simulation: local models draw some, and so speak differently each time.

Piper's voices draw noise in ONNX Runtime, and Whisper draws words in CTranslate2 where it is not
sure of any. Both take a seed for what is made from then on: a model that ``create_session`` makes
gives the same every time, in any process. One that was made before the simulation does not. The
seeds are the process's: after the last of the simulations that run at once they are random again.
"""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from piopiy_lab.simulation.import_watch import ImportWatch

#: The libraries that draw, and their functions that take a seed.
SEEDED_BY = {"onnxruntime": "set_seed", "ctranslate2": "set_random_seed"}
SEED = 1
_lock = threading.Lock()
_blocks = 0  # how many are open in the process; by whoever holds the lock


@contextmanager
def seeded_models() -> Iterator[None]:
    """Seed what draws for the models that are made inside the block; one loaded late, too."""
    global _blocks
    watch = ImportWatch(lambda name: name in SEEDED_BY, _seed_late)
    with _lock:
        _blocks += 1
    try:
        _seed_loaded(SEED)
        watch.start()
        try:
            yield
        finally:
            watch.stop()
    finally:
        with _lock:
            _blocks -= 1
            if not _blocks:
                _seed_loaded(secrets.randbits(31))


def _seed_loaded(seed: int) -> None:
    for name in SEEDED_BY:
        _seed(name, sys.modules.get(name), seed)


def _seed_late(module: ModuleType) -> None:
    if (
        module.__spec__ is not None
    ):  # which has the name that was imported, whatever it calls itself
        _seed(module.__spec__.name, module, SEED)


def _seed(name: str, module: object, seed: int) -> None:
    """Seed a library; what stands for it in ``sys.modules`` and is no module draws nothing."""
    if not isinstance(module, ModuleType):
        return
    set_seed = getattr(module, SEEDED_BY[name], None)  # not of a half-loaded module
    if set_seed is not None:
        set_seed(seed)
