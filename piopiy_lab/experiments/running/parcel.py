"""The shared work of many calls as it travels: bytes once, and a small order for each call.

Every executor is given bytes of our own making, so each takes what is defined in a notebook's cell.
The bytes wait in a file; a worker that can't see that file (on another machine) asks for them once.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import linecache
import pickle
import platform
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from piopiy_lab._version import __version__
from piopiy_lab.experiments.running.work import Result, Work

#: Packages that must be of one version here and in a worker: calls would differ, or not run.
PACKAGES = ("pipecat-ai", "onnxruntime", "numpy")
#: For libraries that start threads for themselves: one each, or they spin beside the calls.
ONE_THREAD: dict[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
_KEPT = 2  # works that a worker remembers


@dataclass(frozen=True)
class Parcel:
    """What a worker is given with each job.

    Attributes:
        digest: SHA-256 of the bytes, hex.
        path: A file that holds them.
        marks: A folder in which a worker says which call it is at.
        versions: Of the packages that matter, where the calls were asked for.
        blob: The bytes themselves, for a worker that asked for them.
    """

    digest: str
    path: str
    marks: str
    versions: tuple[tuple[str, str], ...]
    blob: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Reply:
    """What a worker says of a job.

    Attributes:
        worker: Which one: machine, process and thread.
        result: What became of the call; None if it could not be made.
        lacks: Whether it needs the bytes first.
        differs: How its versions differ.
        error: Why it can make no call at all.
    """

    worker: str
    result: Result | None = None
    lacks: bool = False
    differs: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Packed:
    """What the bytes are.

    Attributes:
        work: The work, pickled.
        lines: Of code that came by value: the lines of its files, which may be cells.
    """

    work: bytes
    lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


def code_in(make: Callable[..., types.CodeType], parts: tuple[object, ...], file: str) -> object:
    """Return code that came by value, with the file that it is from."""
    return make(*parts).replace(co_filename=file)


def parcel_of(blob: bytes, folder: Path) -> Parcel:
    """Write the bytes into a folder of ours, and return what is told of them.

    Raises:
        OSError: The disk is full.
    """
    digest = hashlib.sha256(blob).hexdigest()
    path, marks = folder / "work", folder / "marks"
    path.write_bytes(blob)
    marks.mkdir()
    return Parcel(digest, str(path), str(marks), versions())


@functools.cache
def versions() -> tuple[tuple[str, str], ...]:
    """Return the versions that must be the same everywhere, by name."""
    python = ".".join(map(str, sys.version_info[:2]))
    found = [(name, metadata.version(name)) for name in PACKAGES]
    return (("piopiy_lab", __version__), *found, ("Python", python))


def difference(theirs: tuple[tuple[str, str], ...]) -> str | None:
    """Return how this worker's versions differ from those of the caller; None if they don't."""
    wanted = dict(theirs)
    differing = [
        f"{name} {version} (there is {wanted[name]})"
        for name, version in versions()
        if wanted.get(name) not in (None, version)
    ]
    return None if not differing else f"{platform.node()} has {', '.join(differing)}"


#: The bytes of the works that were asked for last, by digest; any thread of a worker.
_blobs: OrderedDict[str, bytes] = OrderedDict()


def blob_of(parcel: Parcel) -> bytes | None:
    """Return a parcel's bytes; None if this process can't see them."""
    blob = parcel.blob or _blobs.get(parcel.digest)
    if blob is None:
        with contextlib.suppress(OSError):
            blob = Path(parcel.path).read_bytes()
        if blob is None or hashlib.sha256(blob).hexdigest() != parcel.digest:
            return None
    _blobs[parcel.digest] = blob
    _blobs.move_to_end(parcel.digest)
    while len(_blobs) > _KEPT:
        _blobs.popitem(last=False)
    return blob


def unpacked(blob: bytes) -> Work:
    """Return the work, made anew: what came by value, a cell's globals too, is as it was sent."""
    packed: Packed = pickle.loads(blob)
    for file, lines in packed.lines.items():
        size = sum(map(len, lines))
        linecache.cache[file] = (size, None, list(lines), file)  # None: nobody looks on the disk
    work: Work = pickle.loads(packed.work)
    _cover(work.create_session)
    return work


class _Globals:
    """The globals of functions that came by value, as a module has them."""


def _cover(session: object) -> None:
    """Let the simulated clock reach a session that came by value, as it reaches its module.

    Such a function has globals of its own. ``simulate`` gives its clock to what ``sys.modules`` has
    below the name of the session's module, so they are put there.
    """
    name, globals_ = getattr(session, "__module__", None), getattr(session, "__globals__", None)
    if not isinstance(name, str) or not isinstance(globals_, dict):
        return
    place = f"{name}.__by_value__"
    module = sys.modules.get(name)
    if isinstance(module, types.ModuleType) and vars(module) is globals_:
        sys.modules.pop(place, None)
        return
    globals_.setdefault("__name__", name)
    shown = _Globals()
    shown.__dict__ = globals_
    sys.modules[place] = shown  # type: ignore[assignment] - all that is asked of it are its names
