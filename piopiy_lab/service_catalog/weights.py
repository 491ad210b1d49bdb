"""Weights of local services that lie in a folder: found, checked, and never fetched.

``stack("whisper+offline+piper", models="models")``, or the variable ``PIOPIY_LAB_MODELS``, says
where they are; ``whisper//models/whisper-base`` names them by their path. What must be there is
data (``weight_files`` in ``services.toml``). Imports nothing of pipecat.
"""

from __future__ import annotations

import glob
import importlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, MissingWeightsError
from piopiy_lab.service_catalog.entries import Entry, catalog
from piopiy_lab.service_catalog.environment import Environment

#: The variable that names the folder, if ``models=`` doesn't.
VARIABLE = "PIOPIY_LAB_MODELS"
#: What stands for the model's or voice's name in the names of its files.
NAME = "{name}"
#: Where Hugging Face's client keeps what it has fetched, if no variable of its own says otherwise.
_HUB = ".cache/huggingface/hub/"


@dataclass(frozen=True)
class Found:
    """Where a service's weights are.

    Attributes:
        folder: The folder that holds them.
        name: The name by which the service knows them: a path, or a voice in ``folder``.
    """

    folder: Path
    name: str


def models_folder(given: object, environment: Environment) -> Path | None:
    """Return the folder with the weights of local services, None where none was named.

    Args:
        given: What ``models=`` was given; None: the variable's.
        environment: Where the variable may be set.

    Raises:
        ArgumentError: There is no such folder.
        ArgumentTypeError: It is no path.
    """
    source = "models"
    if given is None:
        given, source = environment.path(VARIABLE), VARIABLE
    if given is None:
        return None
    if not isinstance(given, str | os.PathLike):
        raise ArgumentTypeError(
            f"models is {type(given).__name__}: give the path of the folder that holds the weights"
        )
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise ArgumentError(
            f"{source}={str(folder)!r}: there is no such folder; it is to hold the weights of "
            "local services (whisper-base/, en_US-joe-medium.onnx)"
        )
    return folder.absolute()


def locate(entry: Entry, asked: str, environment: Environment, given: object) -> Found | None:
    """Return where the weights are that a service is made with; None: where it keeps its own.

    The folder is looked at only for a service that takes its weights from one.

    Args:
        entry: The service.
        asked: The model or voice that was asked for; "" if none was.
        environment: Where a variable may name it, and the folder.
        given: What ``models=`` was given.

    Raises:
        MissingWeightsError: They aren't in the folder; or one was named, and the service would
            fetch its own, for it takes none from a folder.
        ArgumentError: There is no such folder, or it has several and none was asked for.
        ArgumentTypeError: ``models=`` is no path.
    """
    part = asked or _set(entry, environment)
    if entry.weight_files:
        folder = None if _is_path(part) else models_folder(given, environment)
        return find_weights(entry, part, _default(entry), folder)
    source = "models=" if given is not None else VARIABLE if VARIABLE in environment else ""
    if source and entry.download and not entry.server and not _is_fetched(entry, ""):
        takes = " and ".join(one.name for one in catalog().entries.values() if one.weight_files)
        raise MissingWeightsError(
            f"{entry.kind} {entry.name!r} would download {entry.download}, and nothing is "
            f"downloaded where a folder is named ({source}), from which only {takes} take "
            f"their weights: make it once without {source}, or leave {source} out"
        )
    return None


def has_weights(entry: Entry, environment: Environment, given: object) -> bool:
    """Return whether a service is made without a download, if no model or voice is asked for.

    Looks where making it would look: with a folder named, nowhere else.

    Args:
        entry: The service.
        environment: Where a variable may name its model or voice, and the folder.
        given: What ``models=`` was given.
    """
    try:
        found = locate(entry, "", environment, given)
    except (ArgumentError, MissingWeightsError):
        return False
    return found is not None or _is_fetched(entry, _set(entry, environment) or _default(entry))


def _set(entry: Entry, environment: Environment) -> str:
    """Return the model or voice that a variable names, "" if none does."""
    return environment.get(entry.settings_env.get(entry.part, ""), "")


def _default(entry: Entry) -> str:
    return str(entry.settings.get(entry.part, ""))


def _is_fetched(entry: Entry, name: str) -> bool:
    """Return whether weights lie where the service keeps its own: those of a name, if it has it."""
    home = Path.home()
    for pattern in entry.weights:
        place, wanted = home, pattern.replace(NAME, glob.escape(name))
        if wanted.startswith(_HUB):
            place, wanted = _hub(), wanted.removeprefix(_HUB)
        if any(True for _ in place.glob(wanted)):
            return True
    return False


def _hub() -> Path:
    """Return where Hugging Face's client keeps what it has fetched, by its variables."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if named := os.environ.get(variable):
            return Path(os.path.expandvars(named)).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or str(Path(cache, "huggingface"))
    return Path(os.path.expandvars(home)).expanduser() / "hub"


def find_weights(entry: Entry, part: str, default: str, models: Path | None) -> Found | None:
    """Return where a service's weights are; None: where the service keeps its own.

    Args:
        entry: The service.
        part: The model or voice that was asked for; "" if none was.
        default: The one to take of several, if none was asked for.
        models: The folder of :func:`models_folder`.

    Raises:
        MissingWeightsError: They aren't there, or not all of them; with what is missing.
        ArgumentError: None was asked for, and the folder has several.
    """
    if not entry.weight_files:
        return None
    if _is_path(part):
        return _at(entry, Path(part).expanduser().absolute())
    if models is None:
        return None
    if part:
        return _named(entry, part, models)
    there = list(_there(entry, models))
    if len(there) == 1:
        return there[0]
    if named := [one for one in there if default and _short(one) == default]:
        return named[0]
    if there:
        names = ", ".join(sorted(_short(one) for one in there))
        raise ArgumentError(
            f"{str(models)!r} has several for {entry.kind} {entry.name!r}: {names}; say which: "
            f"'{entry.name}/{_short(there[0])}'"
        )
    raise _missing(entry, models, f"nothing with {_files(entry, '<name>')}")


def hand_over(entry: Entry, found: Found, arguments: dict[str, object]) -> str:
    """Put a folder among a constructor's arguments; return what its settings call the weights."""
    if not entry.weight_folder:
        return found.name
    arguments[entry.weight_folder] = found.folder
    return found.name


def refuse_download(entry: Entry, values: Mapping[str, object]) -> None:
    """Refuse a service of a test whose weights would be fetched first. Imports the service.

    Raises:
        MissingWeightsError: They aren't where the service keeps them.
    """
    if "PYTEST_CURRENT_TEST" not in os.environ:
        return
    name = str(values.get(entry.part, ""))
    match entry.name:
        case "whisper":
            lacking = _whisper_lacks(name)
        case "piper":
            lacking = _piper_lacks(name)
        case _:
            return
    if lacking:
        raise MissingWeightsError(
            f"{entry.kind} {entry.name!r}: {lacking}, and a test downloads nothing: make it once "
            f"outside of a test, or give a folder that has the weights, stack(..., models=) or "
            f"{VARIABLE}"
        )


def _whisper_lacks(model: str) -> str:
    from pipecat.services.whisper.stt import Model

    model = model or Model.DISTIL_MEDIUM_EN.value
    if Path(model).is_dir():
        return ""
    try:
        # by its name: a type checker needs no Whisper
        importlib.import_module("faster_whisper.utils").download_model(model, local_files_only=True)
    except Exception as error:  # whatever the hub's client says, they can't be had without it
        return f"the weights of {model!r} aren't on this machine ({type(error).__name__})"
    return ""


def _piper_lacks(voice: str) -> str:
    from pipecat.services.piper.tts import PIPER_CACHE_DIR

    file = PIPER_CACHE_DIR / f"{voice}.onnx"
    return "" if file.is_file() else f"{str(file)!r} isn't there"


def _is_path(part: str) -> bool:
    return part.startswith(("/", "./", "../", "~", ".\\", "..\\")) or Path(part).is_absolute()


def _at(entry: Entry, path: Path) -> Found:
    """Return the weights at a path: of the folder itself, or of a file without its ending."""
    if not _has_name(entry):
        return _whole(entry, path, path.name)
    name = path.name.removesuffix(".onnx")
    return _whole(entry, path.parent, name)


def _named(entry: Entry, part: str, models: Path) -> Found:
    if not _has_name(entry):
        short = part.rsplit("/", 1)[-1]
        names = (part, short, f"{entry.name}-{short}", f"faster-{entry.name}-{short}")
        places = [models / name for name in names]
        place = next((one for one in places if one.is_dir()), None)
        if place is None:
            raise _missing(entry, models, f"no folder {short!r} or {names[2]!r}")
        return _whole(entry, place, part)
    first = entry.weight_files[0].replace(NAME, part)
    folders = [models, *sorted(one for one in models.iterdir() if one.is_dir())]
    folder = next((one for one in folders if (one / first).is_file()), models)
    return _whole(entry, folder, part)


def _whole(entry: Entry, folder: Path, name: str) -> Found:
    """Return weights whose files are all there.

    Raises:
        MissingWeightsError: One isn't, or is empty.
    """
    wanted = [file.replace(NAME, name) for file in entry.weight_files]
    lacking = [file for file in wanted if not _is_filled(folder / file)]
    if lacking:
        raise _missing(entry, folder, f"no {' and no '.join(lacking)}")
    return Found(folder, name if _has_name(entry) else str(folder))


def _there(entry: Entry, models: Path) -> Iterator[Found]:
    """Yield every complete set of weights in a folder and in the folders in it."""
    for folder in (models, *sorted(one for one in models.iterdir() if one.is_dir())):
        names = [""]
        if _has_name(entry):
            ending = entry.weight_files[0].replace(NAME, "")
            names = sorted(one.name.removesuffix(ending) for one in folder.glob(f"*{ending}"))
        for name in names:
            wanted = [file.replace(NAME, name) for file in entry.weight_files]
            if all(_is_filled(folder / file) for file in wanted):
                yield Found(folder, name if _has_name(entry) else str(folder))


def _is_filled(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def _has_name(entry: Entry) -> bool:
    return NAME in entry.weight_files[0]


def _short(found: Found) -> str:
    return Path(found.name).name


def _files(entry: Entry, name: str) -> str:
    return ", ".join(file.replace(NAME, name) for file in entry.weight_files)


def _missing(entry: Entry, folder: Path, what: str) -> MissingWeightsError:
    where = "is not there" if not folder.is_dir() else f"has {what}"
    return MissingWeightsError(
        f"{entry.kind} {entry.name!r} needs its weights in a folder, and {str(folder)!r} {where}: "
        f"put {_files(entry, '<name>')} there (nothing is downloaded where a folder is named), "
        f"or leave models= and {VARIABLE} out to let {entry.provider.title} fetch its own"
    )
