"""The catalog's data as records: what a short name stands for, and what it needs.

``services.toml`` is the data and explains its fields. Pure: imports nothing of pipecat.
"""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any

from piopiy_lab.errors import ArgumentError
from piopiy_lab.events.values import SERVICE_KINDS, ServiceKind

#: The kinds of service, in the order in which a call uses them and a stack unpacks.
KINDS = SERVICE_KINDS
#: What a kind is called in messages.
KIND_TITLES = {"stt": "speech recognition", "llm": "a language model", "tts": "speech synthesis"}
#: The short names of this package's own services: for all kinds, and a stand-in for a realtime llm.
OFFLINE = "offline"
OFFLINE_REALTIME = "offline-realtime"


@dataclass(frozen=True)
class Provider:
    """Who runs a service, and where its key comes from."""

    name: str
    title: str
    keys_at: str = ""
    extra: str = ""
    env: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Entry:
    """One of pipecat's services by its short name; the fields are those of ``services.toml``."""

    name: str
    kind: ServiceKind
    provider: Provider
    module: str
    class_name: str
    extra: str = ""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    env_optional: Mapping[str, str] = field(default_factory=dict[str, str])
    files: tuple[str, ...] = ()
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])
    settings: Mapping[str, object] = field(default_factory=dict[str, object])
    settings_env: Mapping[str, str] = field(default_factory=dict[str, str])
    part: str = "model"
    paths: Mapping[str, str] = field(default_factory=dict[str, str])
    required: tuple[str, ...] = ()
    vad: bool = False
    ends_turns: bool = False
    http_session: bool = False
    on_loop: bool = False
    realtime: bool = False
    speaks: bool = True
    text_settings: Mapping[str, object] = field(default_factory=dict[str, object])
    wrap: str = ""
    local: bool = False
    download: str = ""
    weights: tuple[str, ...] = ()
    weight_files: tuple[str, ...] = ()
    weight_folder: str = ""
    server: str = ""
    auto: int | None = None
    note: str = ""

    @property
    def install(self) -> str:
        """The line that installs what it needs."""
        return f'pip install "pipecat-ai[{self.extra}]"' if self.extra else "pip install pipecat-ai"

    @property
    def address(self) -> str:
        """Where its class is, as an import path."""
        return f"{self.module}.{self.class_name}"


@dataclass(frozen=True)
class Catalog:
    """Everything in ``services.toml``."""

    providers: Mapping[str, Provider]
    entries: Mapping[tuple[ServiceKind, str], Entry]  # by kind and name
    left_out: Mapping[str, str]

    def names(self, kind: ServiceKind | None = None) -> list[str]:
        """Return the short names, sorted; of one kind, or of all."""
        return sorted({name for one, name in self.entries if kind in (None, one)})

    def kinds_of(self, name: str) -> list[ServiceKind]:
        """Return what a short name can be, in the order of :data:`KINDS`."""
        return [kind for kind in KINDS if (kind, name) in self.entries]

    def find(self, kind: ServiceKind, name: str) -> Entry:
        """Return an entry.

        Raises:
            ArgumentError: No such name, with the nearest ones; or it is no such kind, with what
                it is.
        """
        entry = self.entries.get((kind, name))
        if entry is not None:
            return entry
        kinds = self.kinds_of(name)
        if kinds:
            can = " or ".join(kinds)
            others = [other for other in self.names(kind) if other.startswith(f"{name}-")]
            hint = f"; as {kind} there is {', '.join(map(repr, others))}" if others else ""
            raise ArgumentError(
                f"{name!r} is no {kind} ({KIND_TITLES[kind]}): it can be {can}{hint}. "
                f"stacks({kind!r}) lists what can be {kind}"
            )
        raise ArgumentError(f"no service is called {name!r}{self.near(name, kind)}")

    def near(self, name: str, kind: ServiceKind | None = None) -> str:
        """Return the end of a message that suggests names like a wrong one."""
        known = [
            *self.names(kind),
            OFFLINE,
            *([] if kind in ("stt", "tts") else [OFFLINE_REALTIME]),
        ]
        found = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6)
        found += [other for other in known if name.lower() in other and other not in found][:3]
        if found:
            return f": did you mean {' or '.join(map(repr, found[:4]))}?"
        return f": stacks({'' if kind is None else repr(kind)}) lists the names"


@functools.cache
def catalog() -> Catalog:
    """Return the catalog, read once."""
    text = (
        resources.files("piopiy_lab.service_catalog")
        .joinpath("services.toml")
        .read_text(encoding="utf-8")
    )
    data = tomllib.loads(text)
    providers = {name: Provider(name, **given) for name, given in data["providers"].items()}
    entries: dict[tuple[ServiceKind, str], Entry] = {
        (kind, name): _entry(kind, name, given, providers)
        for kind in KINDS
        for name, given in data[kind].items()
    }
    return Catalog(providers, entries, data["left_out"])


_FIELDS = {one.name for one in fields(Entry)}


def _entry(
    kind: ServiceKind, name: str, given: dict[str, Any], providers: dict[str, Provider]
) -> Entry:
    given = dict(given)
    module, class_name = given.pop("class").split(":")
    home = given.pop("provider", None) or max(
        (one for one in providers if f"{name}-".startswith(f"{one}-")), key=len
    )
    provider = providers[home]
    unknown = set(given) - _FIELDS
    if unknown:
        raise ArgumentError(f"services.toml: [{kind}.{name}] has unknown fields {sorted(unknown)}")
    merged: dict[str, Any] = {
        "extra": provider.extra,
        "env": provider.env,
        "part": "voice" if kind == "tts" else "model",
        **given,
    }
    for listed in ("files", "required", "weights", "weight_files"):
        merged[listed] = tuple(merged.get(listed, ()))
    return Entry(name, kind, provider, f"pipecat.services.{module}", class_name, **merged)
