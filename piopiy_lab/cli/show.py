"""``piopiy-lab show``: a saved call, or many, in the terminal. Knows no pipecat."""

from __future__ import annotations

from pathlib import Path

from piopiy_lab.call.call import Call
from piopiy_lab.cli.live import Follower
from piopiy_lab.cli.report import ending, print_latency, save_plot
from piopiy_lab.cli.terminal import Terminal, printable
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.calls import Calls
from piopiy_lab.experiments.saving import is_saved_batch


def show(
    terminal: Terminal, folder: Path, plot: Path | None = None, html: Path | None = None
) -> int:
    """Print a saved call: what was said, its tools, its latency and how it ended.

    Of many calls that were saved together their table.

    Args:
        terminal: Where to.
        folder: The saved call, or calls.
        plot: Where to draw it as a picture, if at all.
        html: Where to write it as a page that plays in any browser, if at all.

    Returns:
        The exit code, 0.

    Raises:
        SavedCallError: The folder is no saved call, or the picture or page can't be written.
        ArgumentError: A picture is wanted of many calls.
    """
    if is_saved_batch(folder):
        return _show_calls(terminal, folder, plot, html)
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


def _show_calls(terminal: Terminal, folder: Path, plot: Path | None, html: Path | None) -> int:
    if plot is not None:
        raise ArgumentError(
            f"--plot {plot}: {folder} has many calls, and a picture is of one; give one of the "
            "files in its 'calls', or --html"
        )
    calls = Calls.load(folder)
    for line in calls.text().splitlines():
        terminal.line(printable(line))
    if html is not None:
        terminal.line(f"\nWritten: {calls.save_html(html, overwrite=True)}")
    return 0
