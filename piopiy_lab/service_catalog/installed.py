"""What is installed: the requirements of pipecat's extras, by the packages' own metadata.

Nothing is imported, so asking is quick and has no side effects.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement  # matplotlib needs it, so it is there

from piopiy_lab.service_catalog.entries import Entry

PROJECT = "pipecat-ai"


def missing_packages(entry: Entry) -> list[str]:
    """Return what an entry's extras need and isn't installed, or is another version."""
    missing: list[str] = []
    for extra in filter(None, entry.extra.split(",")):
        missing += [one for one in _missing(PROJECT, extra) if one not in missing]
    return missing


def _missing(project: str, extra: str) -> Iterator[str]:
    for needed in _needs(project, extra):
        try:
            version = metadata.version(needed.name)
        except metadata.PackageNotFoundError:
            yield _plain(needed)
            continue
        if not needed.specifier.contains(version, prereleases=True):
            yield f"{_plain(needed)} (there is {version})"
            continue
        for inner in sorted(needed.extras):
            yield from _missing(needed.name, inner)


@functools.cache
def _needs(project: str, extra: str) -> tuple[Requirement, ...]:
    """Return what an extra adds to a project's requirements."""
    found = [Requirement(line) for line in metadata.requires(project) or []]
    return tuple(
        one
        for one in found
        if one.marker is not None
        and one.marker.evaluate({"extra": extra})
        and not one.marker.evaluate({"extra": ""})
    )


def unsupported(entry: Entry) -> bool:
    """Return whether an extra brings nothing here, because this Python or system is left out."""
    for extra in filter(None, entry.extra.split(",")):
        named = [
            Requirement(line)
            for line in metadata.requires(PROJECT) or []
            if f'extra == "{extra}"' in line
        ]
        if named and not _needs(PROJECT, extra):
            return True
    return False


def _plain(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"
