"""From an entry of the catalog to a service of pipecat's.

pipecat and the provider's packages are imported here, and only those that are asked for.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from piopiy_lab.errors import (
    MissingExtraError,
    MissingKeyError,
    ServiceError,
)
from piopiy_lab.service_catalog.entries import Entry
from piopiy_lab.service_catalog.environment import Environment
from piopiy_lab.service_catalog.http_session import LateSession, close_with
from piopiy_lab.service_catalog.installed import missing_packages, unsupported
from piopiy_lab.service_catalog.options import (
    Values,
    constructor_arguments,
    held,
    merge,
    over_defaults,
    typed_settings,
    wrapper_of,
)
from piopiy_lab.service_catalog.usable import has_credentials_file, unset
from piopiy_lab.service_catalog.wanted import Wanted
from piopiy_lab.service_catalog.weights import hand_over, locate, refuse_download

if TYPE_CHECKING:  # an error of a name or a key imports no pipecat
    from pipecat.processors.frame_processor import FrameProcessor

#: Variables whose values are secrets.
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")


def make(
    wanted: Wanted,
    entry: Entry,
    environment: Environment,
    *,
    text_only: bool,
    models: object = None,
) -> Any:
    """Make a service, fresh.

    Args:
        wanted: What was asked for: the model or voice, and options.
        entry: What it is.
        environment: Where its keys are.
        text_only: Whether a realtime llm is to write instead of speaking.
        models: What ``stack(..., models=)`` was given: the folder with weights.

    Raises:
        MissingExtraError: Its packages aren't installed.
        MissingWeightsError: Its weights aren't in the folder, or it takes none from one; or, in a
            test, they aren't on this machine.
        MissingKeyError: A variable isn't set.
        ArgumentError: An option that the service doesn't have, or a value it can't take; or the
            folder isn't there.
        ServiceError: It refuses to be made.
    """
    check_variables(entry, environment)
    values = _values(wanted, entry, environment, text_only=text_only)
    check_required(entry, values)
    asked = wanted.part or wanted.options.get(entry.part, "")
    found = locate(entry, asked, environment, models)
    if unsupported(entry):
        raise ServiceError(
            f"{entry.kind} {entry.name!r} can't be had here: the packages of its extra "
            f"{entry.extra!r} leave this Python or system out"
        )
    loop = _loop(entry)
    service_class = _import(entry)
    arguments = _arguments(entry, environment)
    if found is None:
        refuse_download(entry, values)
    else:
        values[entry.part] = hand_over(entry, found, arguments)
    settings: Values = {}
    holder = wrapper_of(entry, service_class)
    if holder is not None:
        arguments.update(values)
        arguments = {entry.wrap.split(":")[0]: held(entry, holder, arguments)}
    else:
        own = constructor_arguments(entry, service_class, values)
        arguments.update(own)
        settings = {name: value for name, value in values.items() if name not in own}
    session = LateSession() if entry.http_session else None
    if session is not None:
        arguments["aiohttp_session"] = session

    def build(settings: Mapping[str, object]) -> Any:
        given = dict(arguments)
        if settings:
            typed = typed_settings(entry, service_class, settings)
            given["settings"] = service_class.Settings(**typed)
        return _built(entry, environment, service_class, given)

    nested = {name for name, value in settings.items() if isinstance(value, Mapping)}
    if nested:  # they replace a whole field: what they don't name must stay as pipecat has it
        plain = build({name: value for name, value in settings.items() if name not in nested})
        for name in nested:
            settings[name] = over_defaults(getattr(plain.settings, name, None), settings[name])
    service = build(settings)
    if session is not None:
        close_with(service, session)
    if loop is not None:
        service._made_on = loop.create_future()  # Action() refuses what another loop's future is in
    if entry.vad:
        service.needs_vad = True  # Action() says so when vad is off
    return service


def _built(
    entry: Entry,
    environment: Environment,
    service_class: Callable[..., FrameProcessor],
    arguments: Mapping[str, object],
) -> FrameProcessor:
    try:
        return service_class(**arguments)
    except ImportError as error:
        raise _missing(entry, error) from error
    except Exception as error:
        # The message is the provider's own: it may hold what it was given.
        raise ServiceError(
            f"{entry.class_name} ({entry.name}) can't be made: {type(error).__name__}: "
            f"{_without(str(error), entry, environment)}"
        ) from None


def _loop(entry: Entry) -> asyncio.AbstractEventLoop | None:
    """Return the running loop for a service that is bound to it."""
    if not entry.on_loop:
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ServiceError(
            f"{entry.kind} {entry.name!r} ({entry.provider.title}) must be made on the call's "
            "loop: call stack() inside create_session"
        ) from None


def check_variables(entry: Entry, environment: Environment) -> None:
    """Refuse an entry whose key isn't set, with where to get it.

    Raises:
        MissingKeyError: With the variables' names.
    """
    missing = unset(entry, environment)
    if not missing:
        return
    names = " and ".join(missing)
    one = len(missing) == 1
    where = (
        f"; get {'it' if one else 'them'} at {entry.provider.keys_at}"
        if entry.provider.keys_at
        else ""
    )
    files = f", or have {' or '.join(entry.files)}" if entry.files else ""
    raise MissingKeyError(
        f"{entry.kind} {entry.name!r} ({entry.provider.title}) needs {names}, which "
        f"{'is' if one else 'are'} not set: put {'it' if one else 'them'} into the environment or "
        f"a .env file{files}{where}",
        tuple(missing),
    )


def check_required(entry: Entry, values: Mapping[str, object]) -> None:
    """Refuse an entry without a field that has no default.

    Raises:
        MissingKeyError: With the variable that can give it.
    """
    for name in entry.required:
        if name not in values:
            variable = entry.settings_env.get(name, "")
            raise MissingKeyError(
                f"{entry.kind} {entry.name!r} ({entry.provider.title}) has no {name} by default: "
                f"write '{entry.name}/<{name}>', or set {variable}",
                (variable,),
            )


def _values(wanted: Wanted, entry: Entry, environment: Environment, *, text_only: bool) -> Values:
    """Return the settings that were asked for, by field; the later ones win."""
    values: Values = dict(entry.settings)
    for name, variable in entry.settings_env.items():
        if variable in environment:
            values[name] = environment[variable]
    if text_only:
        merge(values, entry.text_settings)
    if wanted.part:
        values[entry.part] = wanted.part
    for name, value in wanted.options.items():
        if name in entry.paths:
            merge(values, _nested(entry.paths[name].split("."), value))
        else:
            values[name] = value
    return values


def _nested(path: list[str], value: object) -> Values:
    return {path[0]: _nested(path[1:], value) if path[1:] else value}


def _import(entry: Entry) -> Any:
    missing = missing_packages(entry)
    if missing:
        raise _missing(entry, ", ".join(missing) + " not installed")
    try:
        return getattr(importlib.import_module(entry.module), entry.class_name)
    except ImportError as error:
        raise _missing(entry, error) from error
    except AttributeError:
        raise ServiceError(
            f"this version of pipecat has no {entry.address}: update piopiy-lab"
        ) from None


def _missing(entry: Entry, detail: object) -> MissingExtraError:
    return MissingExtraError(
        f"{entry.kind} {entry.name!r} ({entry.provider.title})",
        entry.extra or "all",
        detail=str(detail),
        project="pipecat-ai",
    )


def _arguments(entry: Entry, environment: Environment) -> Values:
    """Return the constructor's arguments that come from variables and the catalog."""
    by_file = has_credentials_file(entry)
    arguments = dict(entry.arguments)
    for argument, variable in {**entry.env, **entry.env_optional}.items():
        if variable in environment:
            arguments[argument] = environment[variable]
        elif argument in entry.env and not by_file:  # check_variables() came first
            raise AssertionError(f"{variable} is not set")
    return arguments


def _without(message: str, entry: Entry, environment: Environment) -> str:
    """Return a message without what the variables of an entry hold."""
    from piopiy_lab.redaction import REMOVED, redact_text

    for variable in {*entry.env.values(), *entry.env_optional.values()}:
        value = environment.get(variable, "")
        if len(value) > 3 and _SECRET.search(variable):
            message = message.replace(value, REMOVED)
    return redact_text(message)


def settings_of(wanted: Wanted, entry: Entry, environment: Environment) -> Values:
    """Return the settings that a service would be made with, by field: no secrets."""
    return _values(wanted, entry, environment, text_only=False)
