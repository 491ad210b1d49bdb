"""``piopiy-lab show``: a saved call in the terminal. Knows no pipecat."""

from __future__ import annotations

from pathlib import Path

from piopiy_lab.call.call import Call
from piopiy_lab.cli.live import Follower
from piopiy_lab.cli.report import ending, print_latency, save_plot
from piopiy_lab.cli.terminal import Terminal, printable


def show(
    terminal: Terminal, folder: Path, plot: Path | None = None, html: Path | None = None
) -> int:
    """Print a saved call: what was said, its tools, its latency and how it ended.

    Args:
        terminal: Where to.
        folder: The saved call.
        plot: Where to draw it as a picture, if at all.
        html: Where to write it as a page that plays in any browser, if at all.

    Returns:
        The exit code, 0.

    Raises:
        SavedCallError: The folder is no saved call, or the picture or page can't be written.
    """
    call = Call.load(folder)
    title = f"Call {call.call_id}: {call.duration:.1f} s"
    terminal.line(terminal.styled(printable(title), "bold"))
    if not call.transcript:
        terminal.line("(nothing was said)")
    Follower(terminal).update(call, over=True)
    print_latency(terminal, call)
    terminal.line(f"\nEnded: {ending(call)}")
    if plot is not None:
        save_plot(call, plot)
        terminal.line(f"Drawn: {plot}")
    if html is not None:
        terminal.line(f"Written: {call.save_html(html, overwrite=True)}")
    return 0
