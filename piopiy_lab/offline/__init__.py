"""A voice agent's services with no account, no key and no network.

`offline_stack` gives the three services that `VoiceAgent.Action` takes: speech recognition over a
list of phrases (PocketSphinx), a rule-following stand-in for the language model, and a synthetic
voice (espeak-ng). Each is an ordinary pipecat service, usable without the others::

    stt, llm, tts = offline_stack()                     # the restaurant booking desk

    stt, llm, tts = offline_stack(                      # a domain of your own
        phrases=["open the {room} door", "thank you"],
        slots={"room": ["kitchen", "garden"]},
        replies={
            "open the {room} door": calls_tool("open_door", room="{room}"),
            "thank you": "You are welcome.",
        },
    )

Importing this package loads neither pipecat nor the speech engines; building a stack does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.offline.booking import booking_desk
from piopiy_lab.offline.replies import (
    DEFAULT_FALLBACK,
    DialogueState,
    Fallback,
    Replier,
    Reply,
    calls_tool,
)
from piopiy_lab.offline.rules import DEFAULT_OPENING, RuleBook

if TYPE_CHECKING:
    from piopiy_lab.offline.llm import RuleLLMService
    from piopiy_lab.offline.realtime import RuleRealtimeService
    from piopiy_lab.offline.stt import PhraseSTTService
    from piopiy_lab.offline.tts import EspeakTTSService
    from piopiy_lab.sound.speech import Voice

__all__ = [
    "DialogueState",
    "EspeakTTSService",
    "PhraseSTTService",
    "RuleBook",
    "RuleLLMService",
    "RuleRealtimeService",
    "booking_desk",
    "calls_tool",
    "offline_realtime",
    "offline_stack",
]

_SERVICES = {
    "EspeakTTSService": "piopiy_lab.offline.tts",
    "PhraseSTTService": "piopiy_lab.offline.stt",
    "RuleLLMService": "piopiy_lab.offline.llm",
    "RuleRealtimeService": "piopiy_lab.offline.realtime",
}


def __getattr__(name: str) -> object:
    """Import a service when it is first asked for."""
    if name not in _SERVICES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_SERVICES[name]), name)


def offline_stack(
    *,
    phrases: Sequence[str] | None = None,
    slots: Mapping[str, Sequence[str]] | None = None,
    replies: Mapping[str, Reply | Replier] | None = None,
    fallback: Fallback | None = None,
    opening: str | None = None,
    first_token_delay: float = 0.0,
    token_delay: float = 0.0,
) -> tuple[PhraseSTTService, RuleLLMService, EspeakTTSService]:
    """Build speech recognition, a rule-following "LLM" and a voice, all offline.

    With neither ``phrases`` nor ``replies`` it is the restaurant booking desk (see
    `booking_desk`), which brings its tool ``book_table``; a handler of that name given to the
    `VoiceAgent` takes its place. The tools of a domain of your own are given to the `VoiceAgent`.

    Args:
        phrases: What the caller can say, in the syntax of `piopiy_lab.offline.phrases`; the
            replies' keys by default. With phrases alone the "LLM" only says what it heard, which
            is enough when another service takes its place.
        slots: The values of the phrases' slots.
        replies: Phrase to reply: a text with slots, a `calls_tool`, or a function
            ``(slots, state)``; see `RuleBook`.
        fallback: What is said to anything else: a text with ``{nearest}``, or a function
            ``(nearest sentences, state) -> str``.
        opening: The line when the "LLM" is asked to speak first.
        first_token_delay: Seconds the "LLM" takes to its first word.
        token_delay: Seconds between its words.

    Returns:
        ``(stt, llm, tts)``, new instances.

    Raises:
        PhraseError: A phrase can't be listened for: its syntax, a slot that isn't listed, or words
            that aren't in the recogniser's dictionary (all are named).
        ArgumentError: A reply for a phrase that isn't in ``phrases``, a template that names an
            unknown slot, or options of a domain without one.
        ArgumentTypeError: A reply of the wrong type.
        MissingExtraError: The "offline" extra isn't installed.
    """
    rules, tools = _rules("offline_stack", phrases, slots, replies, fallback, opening)
    desk = phrases is None and replies is None
    try_saying = booking_desk().try_saying if desk else None

    from piopiy_lab.offline.llm import RuleLLMService
    from piopiy_lab.offline.stt import PhraseSTTService
    from piopiy_lab.offline.tts import EspeakTTSService

    return (
        PhraseSTTService(rules.phrases, try_saying=try_saying),
        RuleLLMService(
            rules, tools=tools, first_token_delay=first_token_delay, token_delay=token_delay
        ),
        EspeakTTSService(),
    )


def offline_realtime(
    *,
    speaks: bool = True,
    voice: Voice | str | None = None,
    phrases: Sequence[str] | None = None,
    slots: Mapping[str, Sequence[str]] | None = None,
    replies: Mapping[str, Reply | Replier] | None = None,
    fallback: Fallback | None = None,
    opening: str | None = None,
    first_token_delay: float = 0.0,
    token_delay: float = 0.0,
) -> RuleRealtimeService:
    """Build one service that hears, answers by rules and speaks: no realtime model, its place.

    Give it to ``Action(llm=...)`` alone, or, with ``speaks=False``, together with a ``tts``; and
    ``vad=True``, for it ends no turns itself.

    Args:
        speaks: Whether it gives audio, or text for a ``tts``.
        voice: Its voice, as for `EspeakTTSService`.
        phrases: As for `offline_stack`; so are all the others.
        slots: The values of the phrases' slots.
        replies: Phrase to reply.
        fallback: What is said to anything else.
        opening: The line when it is asked to speak first.
        first_token_delay: Seconds to its first word.
        token_delay: Seconds between its words.

    Raises:
        PhraseError: A phrase can't be listened for.
        ArgumentError: As `offline_stack`.
        ArgumentTypeError: A reply, or ``speaks``, of the wrong type.
        MissingExtraError: The "offline" extra isn't installed.
    """
    rules, tools = _rules("offline_realtime", phrases, slots, replies, fallback, opening)

    from piopiy_lab.offline.realtime import RuleRealtimeService

    return RuleRealtimeService(
        rules,
        tools=tools,
        speaks=speaks,
        voice=voice,
        first_token_delay=first_token_delay,
        token_delay=token_delay,
    )


def _rules(
    name: str,
    phrases: Sequence[str] | None,
    slots: Mapping[str, Sequence[str]] | None,
    replies: Mapping[str, Reply | Replier] | None,
    fallback: Fallback | None,
    opening: str | None,
) -> tuple[RuleBook, list[Any]]:
    """Return the rules and their own tools: the booking desk's, where none are given."""
    if phrases is not None or replies is not None:
        return _own_rules(phrases, replies or {}, slots, fallback, opening), []
    own = {"slots": slots, "fallback": fallback, "opening": opening}
    given = [option for option, value in own.items() if value is not None]
    if given:
        raise ArgumentError(
            f"{name}({given[0]}=...) without phrases or replies: the booking desk has "
            "its own; give phrases= and replies= for a domain of yours"
        )
    desk = booking_desk()
    return desk.rules(), desk.tools


def _own_rules(
    phrases: Sequence[str] | None,
    replies: Mapping[str, Reply | Replier],
    slots: Mapping[str, Sequence[str]] | None,
    fallback: Fallback | None,
    opening: str | None,
) -> RuleBook:
    if not isinstance(replies, Mapping):
        raise ArgumentTypeError(
            f"replies is {type(replies).__name__}: give a mapping of phrase to reply"
        )
    if phrases is not None and not isinstance(phrases, str):
        unheard = [phrase for phrase in replies if phrase not in phrases]
        if unheard:
            raise ArgumentError(
                f"there is a reply for {unheard[0]!r}, which isn't in phrases= "
                f"({', '.join(map(repr, phrases))}): add it there, or leave phrases= out"
            )
    return RuleBook(
        replies,
        slots=slots,
        phrases=phrases,
        fallback=DEFAULT_FALLBACK if fallback is None else fallback,
        opening=DEFAULT_OPENING if opening is None else opening,
    )
