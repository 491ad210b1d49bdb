"""What stands between the user and a service, and what to do about it.

Looks, and touches nothing: packages by their metadata, variables, files, and for a server on this
machine one connection that is closed at once.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from piopiy_lab.service_catalog.entries import Entry
from piopiy_lab.service_catalog.environment import Environment
from piopiy_lab.service_catalog.installed import missing_packages, unsupported
from piopiy_lab.service_catalog.weights import has_weights

#: Seconds that a server on this machine may take to accept.
SERVER_SECS = 0.3
_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Usability:
    """Whether a service can be used right now, and if not, why.

    Attributes:
        packages: What must be installed.
        variables: What must be set in the environment or a ``.env``.
        server: The address of a server that doesn't answer, "" otherwise.
        download: What will be fetched at first use, "" when it is there or nothing is.
        unsupported: Whether its packages leave this Python or system out.
    """

    packages: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    server: str = ""
    download: str = ""
    unsupported: bool = False

    @property
    def usable(self) -> bool:
        """Whether ``stack()`` makes it and it can work; a download may come first."""
        return not (self.packages or self.variables or self.server or self.unsupported)

    @property
    def at_once(self) -> bool:
        """Whether it is usable without a download."""
        return self.usable and not self.download


def usability(entry: Entry, environment: Environment, models: object = None) -> Usability:
    """Find out whether a service can be used right now, made by its name alone.

    Args:
        entry: The service.
        environment: Where its keys are; and its model, voice and folder of weights may be named.
        models: What ``stack(..., models=)`` was given.
    """
    variables = [*unset(entry, environment), *_without_default(entry, environment)]
    address = _server(entry, environment)
    return Usability(
        packages=tuple(missing_packages(entry)),
        variables=tuple(variables),
        server=address if address and not _answers(address) else "",
        download="" if entry.server or has_weights(entry, environment, models) else entry.download,
        unsupported=unsupported(entry),
    )


def unset(entry: Entry, environment: Environment) -> list[str]:
    """Return the required variables that are not set; none if a credentials file stands in."""
    missing = [variable for variable in entry.env.values() if variable not in environment]
    return [] if missing and has_credentials_file(entry) else missing


def has_credentials_file(entry: Entry) -> bool:
    """Return whether a file stands in for the entry's variables."""
    return any(Path(file).expanduser().is_file() for file in entry.files)


def _without_default(entry: Entry, environment: Environment) -> Iterable[str]:
    for name in entry.required:
        variable = entry.settings_env[name]
        if variable not in environment:
            yield variable


def _server(entry: Entry, environment: Environment) -> str:
    if not entry.server:
        return ""
    return environment.get(entry.env_optional.get("base_url", ""), entry.server)


def _answers(address: str) -> bool:
    """Return whether a server on this machine accepts; one elsewhere is taken at its word."""
    parts = urlsplit(address)
    if parts.hostname not in _HERE:
        return True
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname, port), timeout=SERVER_SECS):
            return True
    except (OSError, ValueError):
        return False
