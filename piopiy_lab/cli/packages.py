"""What is installed, by the package's own metadata: its requirements and its extras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata

from packaging.requirements import Requirement  # matplotlib needs it, so it is there

#: This package, as ``pip`` knows it.
PROJECT = "piopiy-lab"
#: Extras that are sums of others, or for those who work on the package.
NOT_SHOWN = ("all", "dev", "test")


@dataclass(frozen=True)
class Extra:
    """An optional part of the package.

    Attributes:
        name: Its name.
        missing: What it needs and isn't installed, or is another version; empty: it is there.
    """

    name: str
    missing: tuple[str, ...] = field(default=())

    @property
    def install(self) -> str:
        """The line that installs it."""
        return f'pip install "{PROJECT}[{self.name}]"'


def version_of(package: str) -> str | None:
    """Return an installed package's version, None if it isn't there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def base_packages() -> list[str]:
    """Return the names of the packages that this one always needs."""
    return [requirement.name for requirement in _needs(PROJECT, "")]


def missing_from_base() -> list[str]:
    """Return what this package always needs and isn't installed, or is another version."""
    return list(_missing(PROJECT, ""))


def extras() -> list[Extra]:
    """Return the extras for users, in the order of their names."""
    names = metadata.metadata(PROJECT).get_all("Provides-Extra") or []
    return [
        Extra(name, tuple(_missing(PROJECT, name)))
        for name in sorted(names)
        if name not in NOT_SHOWN
    ]


def _missing(package: str, extra: str) -> Iterator[str]:
    for needed in _needs(package, extra):
        version = version_of(needed.name)
        if version is None:
            yield str(needed)
        elif not needed.specifier.contains(version, prereleases=True):
            yield f"{needed} (there is {version})"
        else:
            for inner in sorted(needed.extras):
                yield from _missing(needed.name, inner)


def _needs(package: str, extra: str) -> list[Requirement]:
    """Return what an extra of a package adds; the extra "" is the package alone."""
    found = [Requirement(line) for line in metadata.requires(package) or []]
    if not extra:
        return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]
    return [
        _plain(one)
        for one in found
        if one.marker is not None
        and one.marker.evaluate({"extra": extra})
        and not one.marker.evaluate({"extra": ""})
    ]


def _plain(requirement: Requirement) -> Requirement:
    requirement.marker = None
    return requirement
