"""``stack("deepgram+openai+cartesia")``: the services of a call by their short names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.events.values import ServiceKind
from piopiy_lab.service_catalog import ours
from piopiy_lab.service_catalog.choosing import Choice, choose
from piopiy_lab.service_catalog.entries import KINDS, OFFLINE, OFFLINE_REALTIME, Entry, catalog
from piopiy_lab.service_catalog.environment import Environment
from piopiy_lab.service_catalog.made import Made, Stack
from piopiy_lab.service_catalog.making import make
from piopiy_lab.service_catalog.wanted import AUTO, Wanted, parse, parse_one
from piopiy_lab.service_catalog.weights import models_folder


def stack(
    names: str | None = None,
    /,
    *,
    stt: object = None,
    llm: object = None,
    tts: object = None,
    env_file: str | os.PathLike[str] | None = None,
    offline: Mapping[str, object] | None = None,
    models: str | os.PathLike[str] | None = None,
) -> Stack:
    """Make the services of one call by their short names.

    ::

        stt, llm, tts = stack("deepgram+openai+cartesia")
        stt, llm, tts = stack(stt="deepgram/nova-3", llm="openai/gpt-4o-mini", tts="cartesia")
        await agent.Action(**stack("openai-realtime"))    # a realtime llm alone
        await agent.Action(**stack("auto"), vad=True)     # the best of what is usable here

    Call it inside of ``create_session``: pipecat's services serve one call, so each call needs
    its own. Making them elsewhere works too (no service opens anything before its call).

    A part is ``name``, ``name/model`` (``name/voice`` for a tts), and options behind a question
    mark: ``elevenlabs/<voice>?model=eleven_flash_v2_5&speed=1.1``. Options are fields of the
    service's settings or simple arguments of its constructor (``base_url``). "offline" is this
    package's own service; ``stacks()`` lists the names.

    Keys come from the environment, or else from the nearest ``.env`` upwards of the working
    directory; they are handed to the service and put nowhere else.

    In a simulation that replaces a part (``simulate(..., replace={"stt": ...})``) that part isn't
    made, so it needs neither its key nor its extra.

    Args:
        names: ``"stt+llm+tts"``, ``"llm+tts"`` with a realtime llm, or one name: a realtime llm
            ("offline-realtime" is a stand-in), a provider of all three, "offline", or "auto".
        stt: In place of ``names``, by kind: a name as above, or a service. One kind alone is for
            a switcher: ``stack(tts="cartesia").tts``.
        llm: Likewise.
        tts: Likewise.
        env_file: A ``.env`` file to read instead of the nearest one.
        offline: Options for :func:`piopiy_lab.offline_stack` where a part is "offline":
            ``phrases``, ``slots``, ``replies`` and so on.
        models: The folder with the weights of local services, which then download nothing:
            ``whisper-base/`` and ``en_US-joe-medium.onnx``, say. By default that of the variable
            ``PIOPIY_LAB_MODELS``; without either they fetch their own. A part that is a path
            (``whisper//models/whisper-base``, ``piper/./en_US-joe-medium.onnx``) names the
            weights themselves. A local service that takes none from a folder (``kokoro``,
            ``moonshine``) is refused unless it has fetched its own before.

    Returns:
        A ``Stack``. It unpacks as ``stt, llm, tts`` (None for what a realtime llm does itself),
        and as keyword arguments with ``**``; ``.reasons`` says why "auto" chose what it did.

    Raises:
        ArgumentError: An unknown name (with the nearest ones), a name that is no such kind, the
            wrong number of parts, an option that isn't there.
        ArgumentTypeError: Something that is neither a name nor a service.
        MissingExtraError: A provider's packages aren't installed; with the line that installs them.
        MissingKeyError: A variable isn't set; with where to get the key.
        MissingWeightsError: Weights aren't where they were said to be; or they would have to be
            downloaded, though a folder was named or, for ``whisper`` and ``piper``, in a test.
        ServiceError: A service refuses to be made.
    """
    wanted = _wanted(names, {"stt": stt, "llm": llm, "tts": tts})
    _check_offline(wanted, offline)
    kinds: list[ServiceKind] = [kind for kind in KINDS if kind in wanted]
    environment = Environment(env_file)
    if models is not None:
        models_folder(models, environment)  # a wrong argument is one, whoever needs it
    entries, reasons = _entries(wanted, environment, models)
    _check_shape(kinds, entries, whole=names is not None)
    replaced = _replaced()
    text_only = "tts" in kinds and "stt" not in kinds
    made: dict[ServiceKind, Made] = {}
    mine: dict[ServiceKind, Any] = {
        kind: wanted[kind]
        for kind in kinds
        if isinstance(entries.get(kind), str) and kind not in replaced
    }
    own = ours.make(mine, offline or {}, text_only=text_only)
    for kind in kinds:
        asked, entry = wanted[kind], entries.get(kind)
        if kind in replaced:
            made[kind] = Made(kind, str(asked), None, replaced=True)
        elif isinstance(entry, Entry):
            name = Wanted(kind, entry.name, asked.part, asked.options)
            written = text_only and kind == "llm"
            service = make(name, entry, environment, text_only=written, models=models)
            made[kind] = Made(kind, entry.name, service, needs_vad=entry.vad)
        elif isinstance(entry, str):
            needs_vad = kind == "stt" or entry == OFFLINE_REALTIME
            made[kind] = Made(kind, entry, own[kind], needs_vad=needs_vad)
        else:
            made[kind] = Made(kind, type(asked).__name__, asked)
    result = Stack(made, reasons)
    _tell(result)
    return result


def _wanted(names: str | None, given: Mapping[ServiceKind, object]) -> dict[ServiceKind, Any]:
    """Return what was asked for by kind: names, read, and services as they are."""
    named: dict[ServiceKind, object] = {k: value for k, value in given.items() if value is not None}
    if names is not None and named:
        raise ArgumentError(
            f"stack({names!r}, {next(iter(named))}=...): give the names in one text, or each by "
            "its kind, not both"
        )
    if names is not None:
        return {one.kind: one for one in parse(names)}
    if not named:
        raise ArgumentError(
            "stack() was given nothing: stack('deepgram+openai+cartesia'), stack('offline') or "
            "stack('auto'); stacks() shows what is usable here"
        )
    return {
        kind: value if _is_service(value) else parse_one(kind, value)
        for kind, value in named.items()
    }


def _is_service(value: object) -> bool:
    if isinstance(value, str) or value is None:
        return False
    from pipecat.processors.frame_processor import FrameProcessor

    return isinstance(value, FrameProcessor)


def _is_ours(kind: ServiceKind, name: str) -> bool:
    return name == OFFLINE or (kind, name) == ("llm", OFFLINE_REALTIME)


def _entries(
    wanted: Mapping[ServiceKind, object], environment: Environment, models: object
) -> tuple[dict[ServiceKind, Entry | str], dict[ServiceKind, str]]:
    """Return what each name stands for (an entry, or one of ours), and why "auto" chose it."""
    found: dict[ServiceKind, Entry | str] = {}
    reasons: dict[ServiceKind, str] = {}
    for kind, one in wanted.items():
        if not isinstance(one, Wanted):
            continue
        if one.name == AUTO:
            if one.part or one.options:
                raise ArgumentError(
                    f"stack({kind}='auto/...') takes no model and no options: it chooses"
                )
            choice: Choice = choose(kind, environment, models)
            found[kind] = choice.entry or OFFLINE
            reasons[kind] = choice.reason
        else:
            found[kind] = one.name if _is_ours(kind, one.name) else catalog().find(kind, one.name)
    return found, reasons


def _check_shape(
    kinds: list[ServiceKind], entries: Mapping[ServiceKind, Entry | str], *, whole: bool
) -> None:
    """Refuse parts that make no call, as far as the names tell.

    By their kinds, single services may be named too: for a switcher.
    """
    llm = entries.get("llm")
    if kinds == list(KINDS) or llm is None:
        return  # complete; or an llm of the user's, or none: Action() looks at them
    name = llm if isinstance(llm, str) else llm.name
    realtime = name == OFFLINE_REALTIME or (isinstance(llm, Entry) and llm.realtime)
    missing = " and ".join(kind for kind in KINDS if kind not in kinds)
    if not realtime and (whole or len(kinds) > 1):
        raise ArgumentError(
            f"stack() lacks {missing}: {name!r} takes text and gives text. Give all three "
            f"('stt+{name}+tts'), or a realtime llm: {', '.join(_realtime())}"
        )
    if realtime and missing == "tts":
        raise ArgumentError(
            f"stack() lacks tts: {name!r} with an stt needs a tts too; alone it hears and speaks"
        )
    if not isinstance(llm, Entry) or not llm.realtime:
        return
    if missing == "stt" and llm.speaks and not llm.text_settings:
        raise ArgumentError(
            f"{name!r} always speaks itself and takes no tts: give it alone, stack({name!r})"
        )
    if missing == "stt and tts" and not llm.speaks:
        raise ArgumentError(f"{name!r} doesn't speak itself: give it a tts, '{name}+<tts>'")


def _realtime() -> list[str]:
    named = [e.name for e in catalog().entries.values() if e.kind == "llm" and e.realtime]
    return sorted([*named, OFFLINE_REALTIME])


def _check_offline(wanted: Mapping[ServiceKind, object], offline: object) -> None:
    if offline is None:
        return
    if not isinstance(offline, Mapping):
        raise ArgumentTypeError(
            f"offline={offline!r}: give a mapping of offline_stack()'s arguments, like "
            "{'phrases': [...]}"
        )
    if not any(
        isinstance(one, Wanted) and one.name in (OFFLINE, OFFLINE_REALTIME, AUTO)
        for one in wanted.values()
    ):
        raise ArgumentError("stack(offline=...): no part of this stack is 'offline'")


def _session() -> Any:
    from piopiy_lab.session.session import current_session  # numpy comes with it

    return current_session()


def _replaced() -> frozenset[str]:
    session = _session()
    return frozenset() if session is None else frozenset(session.settings.replace)


def _tell(result: Stack) -> None:
    """Write into the call's log what "auto" chose."""
    session = _session()
    if session is not None and result.reasons:
        told = "; ".join(
            f"{kind}: {result.parts[kind].name}, because {reason}"
            for kind, reason in result.reasons.items()
        )
        session.notice(f"stack('auto') chose {told}")


__all__ = ["Stack", "stack"]
