"""One BLAS thread for the small matrix product in front of the end-of-turn model.

Smart Turn's features are one product of 80 x 201 by 201 x 801 numbers: a millisecond on one core.
OpenBLAS, which numpy brings, hands it to a thread on every core, and those spin for a while after
it in case that more comes: 10 to 20 % of a simulated call's CPU, for nothing. How many threads
numpy's BLAS takes is one number for the whole process, so it is set to one for the 40 ms of a
verdict alone, and set back when the last who needs it is done. The product is the same to the last
bit.

numpy's wheels have an OpenBLAS of their own in a file of a known place, which is asked by its name.
(Looking for it among all loaded libraries, as threadpoolctl does, calls back into Python with the
dynamic loader's lock held: a thread that imports an extension module meanwhile waits for that lock
with Python's own, and both stand still for good.) Another BLAS (conda's, Accelerate) is left alone.

Any thread may call these.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

#: Told to libraries that are not loaded yet.
_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: How the names of OpenBLAS' functions begin and end in numpy's wheels.
_BEGINS, _ENDS = ("scipy_openblas", "openblas"), ("64_", "")

_lock = threading.Lock()  # guards both
_users = 0  # who are inside of `one_thread` now
_before: dict[str, int] = {}  # a library's file to its number of threads before the first of them


class Library:
    """An OpenBLAS that numpy brought. Under _lock."""

    def __init__(self, file: Path) -> None:
        """Take a library that is loaded.

        Raises:
            OSError: It can't be loaded.
            AttributeError: It is no OpenBLAS.
        """
        self.file = str(file)
        loaded = ctypes.CDLL(self.file)  # loaded already: this is only its handle
        for begins, ends in product(_BEGINS, _ENDS):
            with suppress(AttributeError):
                self._get = loaded[f"{begins}_get_num_threads{ends}"]
                self._set = loaded[f"{begins}_set_num_threads{ends}"]
                return
        raise AttributeError(f"{file} has no openblas_get_num_threads")

    @property
    def threads(self) -> int:
        """How many threads it takes."""
        return int(self._get())

    @threads.setter
    def threads(self, number: int) -> None:
        self._set(number)


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold numpy's BLAS to one thread inside the block; blocks of several threads may overlap."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            for library in libraries():
                _before[library.file] = library.threads
                library.threads = 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            for library in () if _users else libraries():
                if library.threads == 1:  # else somebody has set it meanwhile
                    library.threads = _before[library.file]


def one_blas_thread() -> None:
    """Hold this process's BLAS to one thread from now on: for a worker that runs calls.

    Workers share the cores as it is. For a worker's initializer, before or after it has imported
    numpy; what the environment says of threads already is left as it is.
    """
    for variable in _VARIABLES:
        os.environ.setdefault(variable, "1")
    with _lock:
        for library in libraries():
            library.threads = 1
            _before[library.file] = 1


@cache
def libraries() -> tuple[Library, ...]:
    """Return what numpy multiplies with, where it can be told how many threads to take."""
    numpys = Path(np.__file__).parent
    found: list[Library] = []
    for file in (*numpys.parent.glob("numpy.libs/*openblas*"), *numpys.glob(".dylibs/*openblas*")):
        with suppress(OSError, AttributeError):  # another library's file: nothing to be told
            found.append(Library(file))
    return tuple(found)
