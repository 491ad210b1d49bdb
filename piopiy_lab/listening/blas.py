"""One BLAS thread for the small matrix product in front of the end-of-turn model.

Smart Turn's features are one product of 80 x 201 by 201 x 801 numbers: a millisecond on one core.
OpenBLAS, which numpy brings, hands it to a thread on every core, and those spin for a while after
it in case that more comes: 10 to 20 % of a simulated call's CPU, for nothing. How many threads
numpy's BLAS takes is one number for the whole process, so it is set to one for the 40 ms of a
verdict alone, and set back when the last who needs it is done. The product is the same to the last
bit.

Any thread may call these.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from threadpoolctl import LibController, ThreadpoolController

#: Told to libraries that are not loaded yet.
_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_lock = threading.Lock()  # guards both
_users = 0  # who are inside of `one_thread` now
_before: dict[str, int] = {}  # a library's file to its number of threads before the first of them


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold numpy's BLAS to one thread inside the block; blocks of several threads may overlap."""
    global _users
    with _lock:
        _users += 1
        for library in _numpys().lib_controllers:
            if _users == 1:
                _before[library.filepath] = library.num_threads
            if _users == 1 or _is_each_threads(library):
                _set(library, 1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            for library in _numpys().lib_controllers:
                ends = not _users or _is_each_threads(library)
                if ends and library.num_threads == 1:  # else somebody has set it meanwhile
                    _set(library, _before[library.filepath])


def one_blas_thread() -> None:
    """Hold this process's BLAS to one thread from now on: for a worker that runs calls.

    Workers share the cores as it is. For a worker's initializer, before or after it has imported
    numpy; what the environment says of threads already is left as it is.
    """
    for variable in _VARIABLES:
        os.environ.setdefault(variable, "1")
    with _lock:
        for library in ThreadpoolController().select(user_api="blas").lib_controllers:
            _set(library, 1)
            _before[library.filepath] = 1


def _is_each_threads(library: LibController) -> bool:
    """Whether the number is each thread's own, as OpenMP has it, and not the process's."""
    return getattr(library, "threading_layer", None) == "openmp"


def _set(library: LibController, threads: int) -> None:
    """Set a library's number of threads; under _lock.

    From 3.7 on threadpoolctl lets only the thread that set it first set it again, and ignores the
    others silently; who comes and goes here is in order by itself.
    """
    let_go = getattr(library, "clear_controlling_thread", None)
    if let_go is not None:
        let_go(force=True)
    library.set_num_threads(threads)
    if let_go is not None:
        let_go(force=True)


@cache
def _numpys() -> ThreadpoolController:
    """Return what numpy multiplies with: of other packages' libraries nothing is touched.

    A wheel of numpy has its own in a folder of its own; else (conda, a system's numpy, which share
    one) all that are loaded.
    """
    loaded = ThreadpoolController().select(user_api="blas")
    beside = Path(np.__file__).parent
    own = [
        library.filepath
        for library in loaded.lib_controllers
        if Path(library.filepath).parent.name == "numpy.libs"
        or beside in Path(library.filepath).parents
    ]
    return loaded.select(filepath=own) if own else loaded
