"""The same noise in every simulation: local models draw some, and so speak differently each time.

Piper's voices draw noise in ONNX Runtime, and Whisper draws words in CTranslate2 where it is not
sure of any. Both take a seed for what is made from then on: a model that ``create_session`` makes
gives the same every time, in any process. One that was made before the simulation does not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from piopiy_lab.simulation.import_watch import ImportWatch

#: The libraries that draw, and their functions that take a seed.
SEEDED_BY = {"onnxruntime": "set_seed", "ctranslate2": "set_random_seed"}
SEED = 1


@contextmanager
def seeded_models() -> Iterator[None]:
    """Seed what draws for the models that are made inside the block; one loaded late, too."""
    for name in SEEDED_BY:
        if (module := sys.modules.get(name)) is not None:
            _seed(module)
    watch = ImportWatch(lambda name: name in SEEDED_BY, _seed)
    watch.start()
    try:
        yield
    finally:
        watch.stop()


def _seed(module: ModuleType) -> None:
    set_seed = getattr(module, SEEDED_BY[module.__name__], None)  # not of a half-loaded module
    if set_seed is not None:
        set_seed(SEED)
