"""The parts of a report on a call that ``demo`` and ``show`` both print."""

from __future__ import annotations

import traceback
from pathlib import Path

from piopiy_lab.call.call import Call
from piopiy_lab.checks.texts import described, text_of
from piopiy_lab.cli.terminal import Terminal, printable
from piopiy_lab.display.user_traceback import user_line
from piopiy_lab.errors import SavedCallError
from piopiy_lab.redaction import redact_text, visible_lines


def print_latency(terminal: Terminal, call: Call) -> None:
    """Print the latency table, if a turn was answered."""
    if not call.turns:
        return
    terminal.heading("Latency in ms, from the end of the caller's speech to the first sound")
    for line in call.turns.text().splitlines():
        terminal.line(printable(line))


def ending(call: Call) -> str:
    """Say how a call ended, and with which error."""
    if call.end_reason is None:
        return "broken off: the log ends before the call did"
    reason = call.end_reason.replace("_", " ")
    return f"{reason}: {printable(text_of(call.error))}" if call.error else reason


def print_failure(terminal: Terminal, error: BaseException, *, debug: bool) -> None:
    """Print where the user's code failed, first and in red, and then why.

    Args:
        terminal: Where to print.
        error: What was raised, or what ended a call.
        debug: Whether to print the whole traceback too.
    """
    for line in filter(None, (user_line(error), described(error))):
        terminal.line(terminal.styled(printable(line), "bad"))
    if debug:
        whole = "".join(traceback.format_exception(error)).rstrip()
        terminal.line(terminal.styled(visible_lines(redact_text(whole)), "dim"))


def save_plot(call: Call, path: Path) -> None:
    """Draw a call as a picture.

    Raises:
        SavedCallError: It can't be written, or not in that format.
    """
    try:
        call.plot().savefig(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SavedCallError(
            f"can't write the picture {path} ({reason}); give a name that ends in .png, .svg or "
            ".pdf, in a folder that exists"
        ) from error
