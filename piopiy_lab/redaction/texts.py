"""Taking secrets out of a text: what looks like one, what a name says of, and what is known.

Each place of the text is looked at a bounded number of times, whatever it holds: a pattern that
begins to match takes its whole run of characters, and Python decides what to make of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from piopiy_lab.redaction import known
from piopiy_lab.redaction.names import kind_of, may_hold_a_name

REMOVED = "[removed]"

_LIKE_A_SECRET = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|pplx|hf|ghp|gho|ghs|github_pat|glpat|xox[abposr]|AIza|AKIA|SG|r8|sk_live)"
    r"[-_.]?(?P<key>[A-Za-z0-9_-]{16,}+)(?:(?<=\d|\w)\.[A-Za-z0-9_-]{16,}+)?"
    r"|\beyJ(?P<jwt>[A-Za-z0-9_-]{5,}+)(?P<rest>\.[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]*+)*+)?"
    r"|\b(?:Bearer|Basic|Token)\s{1,8}(?P<token>[A-Za-z0-9._~+/=-]{12,}+)"
)
_DIGIT = re.compile("[0-9]")
_USER_INFO = re.compile(r"(?<=://)[^\s/?#@\"'\\<>]*+@(?:[^\s/?#@\"'\\<>]*+@)*+")
# A password with a slash in it: what follows the first colon is no port.
_USER_INFO_WITH_SLASH = re.compile(
    r"(?<=://)[^\s/?#@:\"'\\<>]*+:(?!\d{1,5}(?![^\s/?#\"'\\<>)\],.;]))[^\s@\"\\<>]{1,200}@"
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)

# A name, the quote that ends it (escaped as often as the JSON is nested), "=", ":" or, after
# dashes, a blank; then the value's own quote.
_NAMED = re.compile(
    r"(?<![\w.$-])(?P<dashes>-*+)(?P<name>[\w$][\w.$-]*+)(?P<end>\\*+[\"']|\])?+"
    r"(?P<sep>\s{0,4}+(?:=>|[=:])(?!=|//)\s{0,4}+|\x20)(?P<open>\\*+[\"'])?+"
)
_WORD = re.compile(r"[^\s\"'&\\]*+")
_LINE = re.compile(r"[^\n\"\\]*+")
_SCHEME = re.compile(r"(?:Bearer|Basic|Token|Digest|ApiKey)\s{1,4}(?=\S)", re.IGNORECASE)
_CONSTANT = re.compile(r"(?:null|none|true|false)(?![\w-])", re.IGNORECASE)
_NESTED = re.compile(r"[\[\]{}]|\\*+[\"']")
# Python code that takes the value from the environment: it names the variable, and shows nothing.
_FROM_ENVIRONMENT = re.compile(
    r"(?:os\.)?(?:environ\[|environ\.get\(|getenv\()\\*[\"'][A-Z][A-Z0-9_]{0,60}+\\*[\"'][\])]"
)
# The same with a value for when there is none, which may be the secret.
_OR_ELSE = re.compile(r"(?:os\.)?(?:environ\.get|getenv)\([^,\n]{0,80}+,")
_SCHEMA = re.compile(r"\{\s{0,4}\\*[\"']type\\*[\"']\s{0,4}:")


def redact_text(text: str) -> str:
    """Return the text with everything in it that is a secret replaced.

    Linear in the text. Safe on a line of JSON: it stays JSON. Twice is as good as once.
    """
    for value in known.forms:
        if value in text:
            text = text.replace(value, REMOVED)
    if _DIGIT.search(text) or ("eyJ" in text and "." in text):  # else there is none to be found
        text = _LIKE_A_SECRET.sub(_judged, text)
    if "://" in text and "@" in text:
        text = _USER_INFO.sub(f"{REMOVED}@", text)
        text = _USER_INFO_WITH_SLASH.sub(f"{REMOVED}@", text)
    if not may_hold_a_name(text):
        return text
    if "PRIVATE KEY-----" in text:
        text = _PRIVATE_KEY.sub(REMOVED, text)
    if "=" in text or ":" in text or "--" in text:
        text = "".join(_without_named(text))
    return text


def _judged(match: re.Match[str]) -> str:
    """Return what stands for something that looks like a secret: itself, if it is none."""
    if match["jwt"]:
        return REMOVED if match["rest"] else match[0]
    return REMOVED if _DIGIT.search(match["key"] or match["token"]) else match[0]


def _without_named(text: str) -> Iterator[str]:
    """Yield the text in pieces, without the values whose names say that they are secrets."""
    done = at = 0
    while (match := _NAMED.search(text, at)) is not None:
        at = match.end()
        kind = kind_of(match["name"])
        if kind not in ("secret", "everyday"):
            at = match.start("sep")  # the value may be a name itself: a=token=...
            continue
        end = _end_of_value(text, match, kind)
        if end > match.end():
            yield text[done : match.end()]
            yield _in_place(text, match)
            done = at = end
    yield text[done:]


def _in_place(text: str, match: re.Match[str]) -> str:
    """Return what stands for a value: in JSON, a text even where a number stood."""
    quote = match["end"] or ""
    return f"{quote}{REMOVED}{quote}" if quote[-1:] == '"' and not match["open"] else REMOVED


def _end_of_value(text: str, match: re.Match[str], kind: str) -> int:
    """Return where the value ends that is to be removed; where it begins if it stays."""
    start = match.end()
    if match["sep"] == " " and (len(match["dashes"]) != 2 or text[start : start + 1] in ("-", "")):
        return start
    if match["open"]:
        return _end_of_quoted(text, start, match["open"])
    if text.startswith(REMOVED, start):
        after = start + len(REMOVED)
        return _reached(_WORD, text, after) if text[after : after + 1].isalnum() else start
    if text.startswith(("{", "["), start):
        quote = match["end"] or '"'
        return start if _SCHEMA.match(text, start) else _end_of_nested(text, start, quote)
    if _CONSTANT.match(text, start) or _FROM_ENVIRONMENT.match(text, start):
        return start
    if (or_else := _OR_ELSE.match(text, start)) is not None:
        closing = text.find(")", or_else.end())
        return closing if closing >= 0 else _reached(_LINE, text, or_else.end())
    if "ookie" in match["name"]:
        return _reached(_LINE, text, start)
    scheme = _SCHEME.match(text, start)
    end = _reached(_WORD, text, start if scheme is None else scheme.end())
    while end > start and text[end - 1] in ",;)]}>":
        end -= 1
    if kind == "everyday" and not match["end"] and scheme is None and not match["dashes"]:
        in_address = text[match.start() - 1 : match.start()] in ("?", "&", "#")
        if not in_address and not _looks_random(text[start:end]):
            return start
    return end


def _reached(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return start if match is None else match.end()


def _looks_random(value: str) -> bool:
    """Whether a value can be a secret rather than a word of a sentence, or a line of a program."""
    return len(value) >= 6 and bool(_DIGIT.search(value)) and "(" not in value


def _end_of_quoted(text: str, start: int, quote: str) -> int:
    """Return where the text in quotes ends that begins at ``start``; without an end, the text's."""
    mark, depth = quote[-1], len(quote) - 1
    at = text.find(mark, start)
    while at >= 0:
        slashes = 0
        while at - slashes > start and text[at - slashes - 1] == "\\":
            slashes += 1
        if depth == 0 and slashes % 2 == 0:
            return at
        if depth and slashes <= depth:  # with fewer, the text around it ends
            return at - slashes
        at = text.find(mark, at + 1)
    return len(text)


def _end_of_nested(text: str, start: int, quote: str) -> int:
    """Return where the brackets close that open at ``start``; without an end, the text's.

    Args:
        text: The text.
        start: Where the first bracket is.
        quote: How texts between them are quoted.
    """
    mark, depth = quote[-1], len(quote) - 1
    open_brackets, quoted = 0, False
    for token in _NESTED.finditer(text, start):
        slashes = len(token[0]) - 1
        if token[0][-1] == mark:
            if slashes < depth:
                return token.start()  # the text around it ends
            if slashes == depth or (depth == 0 and slashes % 2 == 0):
                quoted = not quoted
        elif not quoted and slashes == 0 and token[0] not in "\"'":
            open_brackets += 1 if token[0] in "[{" else -1
            if open_brackets == 0:
                return token.end()
    return len(text)
