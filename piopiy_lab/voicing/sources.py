"""Which voice a name stands for, and how it is asked for texts."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from piopiy_lab.errors import ArgumentError, MissingExtraError, VoiceError
from piopiy_lab.redaction.names import kind_of
from piopiy_lab.screenplay.voice import Spoken, Voice
from piopiy_lab.service_catalog.entries import OFFLINE, Entry, catalog
from piopiy_lab.service_catalog.environment import Environment
from piopiy_lab.service_catalog.wanted import Wanted, parse_one
from piopiy_lab.voicing import cache, piper
from piopiy_lab.voicing.clips import Clips
from piopiy_lab.voicing.shaping import has_sound, shaped

if TYPE_CHECKING:  # pipecat comes with the first text
    from piopiy_lab.voicing.services import Take

#: Hz that a service is asked for, where it is no resampling of its own.
NATIVE_RATES = {"piper": 22050}
#: Services whose models draw noise from onnxruntime: with a seed before each text, and a session of
#: its own, a text always sounds the same, whatever was said before.
SEEDED = ("piper",)
SEED = 1
#: What a function may hold and still be told from another one by its value.
_PLAIN = (str, int, float, bool, bytes, type(None))


@dataclass(frozen=True)
class ServiceSource:
    """A TTS service of pipecat's.

    Attributes:
        named: For messages.
        make_tts: Makes the service.
        identity: What tells it, and its version, in the cache; None: it is kept in memory alone.
        sample_rate: Hz that it is asked for; None for the usual.
        seeded: Whether each text is said by a service of its own, with a seed.
    """

    named: str
    make_tts: Callable[[], object]
    identity: Mapping[str, object] | None
    sample_rate: int | None = None
    seeded: bool = False

    def key(self, text: str) -> object:
        """Return what tells a text of this voice from any other, in memory."""
        if self.identity is None:
            return (_Itself(self.make_tts), text)
        return cache.key_of(self.identity, text)

    def kept(self, text: str) -> Spoken | None:
        """Return what is kept of a text on disk."""
        return None if self.identity is None else cache.read(cache.key_of(self.identity, text))

    def speak(self, texts: Sequence[str]) -> dict[str, Spoken]:
        """Have texts spoken, and keep them; on a thread without a loop.

        Raises:
            VoiceError: It fails, or gives no sound for a text.
        """
        spoken: dict[str, Spoken] = {}

        def keep(text: str, take: Take) -> None:  # at once: a later one may fail
            if not has_sound(take.samples):
                raise VoiceError(
                    f"the voice {self.named} gave no sound for {text!r}: choose another voice "
                    "(voices() lists them), or another text"
                )
            one = shaped(take.samples, take.sample_rate, text, take.starts, level=True)
            if self.identity is not None:
                one = cache.write(cache.key_of(self.identity, text), text, one)
            spoken[text] = one

        for some in [[text] for text in texts] if self.seeded else [texts]:
            self._ask(some, keep)
        return spoken

    def _ask(self, texts: Sequence[str], keep: Callable[[str, Take], None]) -> None:
        from piopiy_lab.voicing.services import SAMPLE_RATE, speak

        if self.seeded:
            import onnxruntime

            onnxruntime.set_seed(SEED)  # of the sessions that are made from now on
        rate = self.sample_rate or SAMPLE_RATE
        asyncio.run(speak(self.make_tts, texts, self.named, keep, rate))


class _Itself:
    """An object as a key: equal to itself alone, hashable or not, and alive as long as the key."""

    def __init__(self, one: object) -> None:
        self._one = one

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self._one is other._one

    def __hash__(self) -> int:
        return id(self._one)


@dataclass(frozen=True)
class ClipSource:
    """A folder of clips; the files are what is kept."""

    clips: Clips

    def key(self, text: str) -> object:
        """Return None: a clip may be recorded again at any time, and is read each time."""
        return None

    def kept(self, text: str) -> Spoken | None:
        """Return None: nothing is kept beside the files."""
        return None

    def speak(self, texts: Sequence[str]) -> dict[str, Spoken]:
        """Read the texts' clips.

        Raises:
            VoiceError: A text has none; names it.
            AudioFileError: One can't be read.
        """
        return {text: self.clips.spoken(text) for text in texts}


def source_of(voice: object) -> ServiceSource | ClipSource | None:
    """Return who speaks for a voice; None for espeak-ng, which speaks within the call.

    Raises:
        ArgumentError: There is no voice of that name.
        VoiceError: There is no such folder, or nothing in it.
    """
    match voice:
        case Voice(make_tts=make_tts, version=version):
            return ServiceSource(repr(voice), make_tts, _identity_of(make_tts, version))
        case Path():
            return ClipSource(Clips(voice.expanduser()))
        case str():
            return _named(voice)
        case _:
            return None


def _named(voice: str) -> ServiceSource | ClipSource | None:
    name = voice.partition("?")[0].partition("/")[0].strip().lower()
    if name == OFFLINE or ("tts", name) in catalog().entries:
        return _catalogued(voice)
    folder = Path(voice).expanduser()
    if "/" in voice or "\\" in voice:
        if folder.is_dir():
            return ClipSource(Clips(folder))
        raise ArgumentError(
            f"voice={voice!r}: there is no voice service {name!r}{catalog().near(name, 'tts')}, "
            "and no such folder of clips. voices() lists what is usable here"
        )
    from piopiy_lab.sound.speech import find_voice

    try:
        find_voice(voice)  # before the folder: a name means the same wherever one works
    except MissingExtraError:
        if not folder.is_dir():
            raise
        return ClipSource(Clips(folder))
    except ArgumentError as error:
        if folder.is_dir():
            return ClipSource(Clips(folder))
        raise ArgumentError(
            f"no voice or service is called {voice!r}; voices() lists them. {error}"
        ) from None
    return None


def _catalogued(voice: str) -> ServiceSource:
    """Return the source of a service of the catalog's, by its short name."""
    from piopiy_lab.service_catalog.making import settings_of

    wanted = parse_one("tts", voice)
    if wanted.name == OFFLINE:
        return ServiceSource(voice, lambda: _stacked(voice), {"service": OFFLINE, "name": voice})
    entry = catalog().find("tts", wanted.name)
    asked_for = bool(wanted.part)
    if entry.name == "piper" and not asked_for:
        wanted = _default_piper(wanted, entry)
    settings = settings_of(wanted, entry, Environment(None))
    identity = {"service": entry.name, "settings": settings, "packages": _versions(entry)}
    folder = piper.found_voices().get(wanted.part) if entry.name == "piper" else None
    written = voice if asked_for else f"{wanted}{voice[len(entry.name) :]}"
    rate, random = NATIVE_RATES.get(entry.name), entry.name in SEEDED
    return ServiceSource(voice, lambda: _stacked(written, folder), identity, rate, random)


def _default_piper(wanted: Wanted, entry: Entry) -> Wanted:
    """Return Piper with the first voice that is here, where the catalog's own isn't."""
    there = piper.found_voices()
    default = str(entry.settings.get("voice", ""))
    if Environment(None).get("PIPER_VOICE_ID") or not there or default in there:
        return wanted
    return Wanted("tts", "piper", sorted(there)[0], wanted.options)


def _stacked(voice: str, models: Path | None = None) -> object:
    from piopiy_lab.service_catalog.stacking import stack

    return stack(tts=voice, models=models).tts


def _versions(entry: Entry) -> list[str]:
    """Return the versions of what makes the sound here: those of a local service's packages."""
    if not entry.local:
        return []
    found: list[str] = []
    for name in (f"{entry.extra}-tts", entry.extra):
        try:
            found.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found


def _identity_of(make_tts: Callable[[], object], version: str | None) -> dict[str, object] | None:
    """Return what tells a function's voice: its version, its place, and what it holds.

    None where it holds something that can't be told from another by its value (a client, settings):
    what it says is then kept in memory alone.
    """
    if version is None:
        return None
    held: list[object] = []
    while isinstance(make_tts, functools.partial):
        held += [*make_tts.args, *sorted(make_tts.keywords.items())]
        make_tts = make_tts.func
    if not inspect.isroutine(make_tts) or inspect.ismethod(make_tts):
        return None if not inspect.isclass(make_tts) else _told(make_tts, version, held)
    if inspect.isfunction(make_tts):
        names = inspect.getclosurevars(make_tts).nonlocals
        held += [*sorted(names.items()), *(make_tts.__defaults__ or ())]
        consts = make_tts.__code__.co_consts  # which Python's version adds None to
        held += [one for one in consts if one is not None and isinstance(one, _PLAIN)]
    return _told(make_tts, version, held)


def _told(make_tts: Callable[[], object], version: str, held: Sequence[object]) -> Any:
    plain: list[str] = []
    for one in held:
        name, value = one if isinstance(one, tuple) and len(one) == 2 else ("", one)
        if not isinstance(value, _PLAIN):
            return None
        if not kind_of(str(name)):  # a key is no part of a voice, and another one elsewhere
            plain.append(f"{name}={value!r}")
    name = getattr(make_tts, "__qualname__", type(make_tts).__qualname__)
    return {"version": version, "name": name, "held": plain}
