"""``piopiy-lab make-test``: a test of a saved call."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from piopiy_lab.call.call import Call
from piopiy_lab.cli.terminal import Terminal, printable


def make_test(
    terminal: Terminal,
    folder: Path,
    tests: Path,
    *,
    session: str | None,
    name: str | None,
    scrub: Sequence[str],
    sound: bool,
    overwrite: bool,
) -> int:
    """Write a test of a saved call.

    Args:
        terminal: Where to say where it is.
        folder: The saved call.
        tests: The folder of the tests.
        session: What the test calls, ``module:function``; None: what the call ran.
        name: The test's name; None: made of the call's id.
        scrub: Texts to leave out, some with "=" and what stands for them.
        sound: Whether the caller's own sound is kept, and the call's cassette.
        overwrite: Whether a test of that name is replaced.

    Returns:
        The exit code, 0.

    Raises:
        SavedCallError: The folder is no saved call, or the test is there or can't be written.
        ArgumentError: Nobody knows the session, or an argument can't be used.
    """
    sys.path.insert(0, os.getcwd())  # where a session's module is looked for
    texts = [text.partition("=") for text in scrub]
    instead = {text: new if equals else None for text, equals, new in texts}
    path = Call.load(folder).save_test(
        tests,
        session=session,
        name=name,
        scrub=instead or None,
        sound=sound,
        overwrite=overwrite,
    )
    terminal.line(printable(f"Written: {path}"))
    return 0
