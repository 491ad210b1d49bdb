"""``piopiy-lab replay``: a saved call again, on the agent as it is now."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from piopiy_lab.call.call import Call
from piopiy_lab.cli.sessions import load_session
from piopiy_lab.cli.terminal import Terminal, printable

SAME, DIVERGED = 0, 1


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """What the command line said.

    Attributes:
        folder: The saved call.
        session: Where the agent is.
        tools: "recorded" or "run".
        cassette: What the call's services answered.
        html: Where to write both calls as a page.
        save: Where to save the replay.
    """

    folder: Path
    session: str
    tools: Literal["recorded", "run"] = "recorded"
    cassette: Path | None = None
    html: Path | None = None
    save: Path | None = None


def replay(terminal: Terminal, options: ReplayOptions) -> int:
    """Run a saved call again and print both, what differs as ``-`` was and ``+`` now.

    Returns:
        0 if the calls have one course, 1 if they part.

    Raises:
        PiopiyLabError: The folder is no call that can be replayed, or something can't be written.
        UserCodeError: The agent's module raises when it is imported.
    """
    call = Call.load(options.folder)
    session = load_session(options.session)
    again = asyncio.run(
        call.replay(
            session,
            tools=options.tools,
            cassette=options.cassette,
            record=True if options.save is None else options.save,
        )
    )
    again.call.raise_for_error()
    for line in again.text().splitlines():
        style = "bad" if line.startswith(">>>") else "bold" if line.startswith("Replay") else None
        terminal.line(printable(line) if style is None else terminal.styled(printable(line), style))
    if options.html is not None:
        terminal.line(f"Written: {again.save_html(options.html, overwrite=True)}")
    if options.save is not None:
        terminal.line(f"Saved: {options.save}")
    return SAME if again.divergence is None else DIVERGED
