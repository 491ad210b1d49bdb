"""The ``piopiy-lab`` command.

Only this package prints, and only it decides what Ctrl-C does. Each command is imported when it
is used, so ``--help`` is quick and ``show`` needs no pipecat.

Exit codes: 0 it worked, 1 it ran and the result is bad, 2 it could not run (wrong arguments, a
missing part, a folder that is none), 130 Ctrl-C, 141 nobody read the output.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from piopiy_lab._version import __version__
from piopiy_lab.cli.terminal import OutputClosedError, Terminal, forget_stdout
from piopiy_lab.errors import PiopiyLabError

__all__ = ["main"]

BAD, CANT_RUN, INTERRUPTED, OUTPUT_CLOSED = 1, 2, 130, 141

_EXAMPLES = """\
examples:
  piopiy-lab demo                       a whole call, offline, in a few seconds
  piopiy-lab talk                       talk to it on your own microphone
  piopiy-lab show piopiy-lab-demo       what was said in a saved call, and how fast
  piopiy-lab serve my_agent:session     answer the phone (id and token in the environment)
  piopiy-lab notebooks                  learn by doing: copies notebooks, opens JupyterLab
  piopiy-lab doctor                     what is installed; paste it into a bug report
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The arguments after the program's name; ``sys.argv[1:]`` if None.

    Returns:
        The exit code.
    """
    try:
        options = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse: --help, --version, or wrong arguments
        return stop.code if isinstance(stop.code, int) else CANT_RUN
    terminal = Terminal(color=not getattr(options, "no_color", False))
    try:
        return _run(terminal, options)
    except OutputClosedError:
        forget_stdout()
        return OUTPUT_CLOSED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except PiopiyLabError as error:
        if getattr(options, "debug", False):
            raise
        Terminal(sys.stderr).line(f"piopiy-lab {options.command}: {error}")
        return CANT_RUN


def _run(terminal: Terminal, options: argparse.Namespace) -> int:
    match options.command:
        case "demo" if options.source:
            from importlib.resources import files

            terminal.write((files(__name__) / "demo_session.py").read_text(encoding="utf-8"))
            return 0
        case "demo":
            from piopiy_lab.cli.demo import demo

            return demo(terminal, options.out, realtime=options.realtime)
        case "talk" if options.list_devices:
            from piopiy_lab.cli.talk import list_devices

            return list_devices(terminal)
        case "talk":
            from piopiy_lab.cli.talk import talk
            from piopiy_lab.transports.microphones import HALF_DUPLEX, Microphone

            echo = {"on": True, "off": False}.get(options.echo, HALF_DUPLEX)
            microphone = Microphone(
                _device(options.device),
                _device(options.output or options.device),
                echo_cancellation=echo,
                push_to_talk=options.push_to_talk,
            )
            return talk(terminal, options.session, microphone)
        case "show":
            from piopiy_lab.cli.show import show

            return show(terminal, options.folder, options.plot)
        case "serve":
            from piopiy_lab.cli.serve import ServeOptions, serve

            return serve(
                terminal,
                ServeOptions(
                    session=options.session,
                    agent_id=options.agent_id,
                    token_file=options.token_file,
                    signaling_url=options.signaling_url,
                    rest_url=options.rest_url,
                    max_sessions=options.max_sessions,
                    grace=options.grace,
                    record=options.record,
                    quiet=options.quiet,
                ),
            )
        case "notebooks":
            from piopiy_lab.cli.notebooks import notebooks

            return notebooks(terminal, options.folder, start=not options.no_start)
        case "doctor":
            from piopiy_lab.cli.doctor import doctor

            return doctor(terminal, as_json=options.json)
        case _:
            terminal.write(_parser().format_help())
            return 0


def _device(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text


def _parser() -> argparse.ArgumentParser:
    # SUPPRESS: an option may stand before the command or after it.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--no-color", action="store_true", help="plain text, also on a terminal")
    common.add_argument("--debug", action="store_true", help="show an error's traceback")
    parser = argparse.ArgumentParser(
        prog="piopiy-lab",
        description="Prototype Piopiy voice agents: try one, look at a call, check the set-up.",
        epilog=_EXAMPLES,
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"piopiy-lab {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(name: str, what: str, about: str, example: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=what,
            description=about,
            epilog=f"example:\n  {example}",
            parents=[common],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    demo = command(
        "demo",
        "play a call with the offline agent",
        "Play a call between a restaurant's booking desk and a scripted caller who interrupts and\n"
        "corrects himself: real voice detection, speech recognition and speech, no network.\n"
        "Exits with 0 only if the agent understood, booked the right table and said so.",
        "piopiy-lab demo --out my-first-call",
    )
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("piopiy-lab-demo"),
        metavar="DIR",
        help="the folder to save the call in (default: %(default)s)",
    )
    demo.add_argument("--realtime", action="store_true", help="on the wall clock, as it would be")
    demo.add_argument("--source", action="store_true", help="print the demo's own code instead")
    talk = command(
        "talk",
        "talk to an agent on your microphone",
        "Call an agent on this computer's microphone and speaker: the offline booking desk, or\n"
        "your own session. Lines that you type are turns too; Ctrl-C hangs up.",
        "piopiy-lab talk my_agent:create_session --device USB",
    )
    talk.add_argument(
        "session", nargs="?", metavar="MODULE:FUNCTION", help="or path/to/file.py:FUNCTION"
    )
    talk.add_argument("--device", metavar="NAME", help="the devices: an index or a part of a name")
    talk.add_argument("--output", metavar="NAME", help="another device for the speaker")
    talk.add_argument(
        "--echo",
        choices=("on", "off", "half-duplex"),
        default="on",
        help="take the agent's voice out of the microphone's; off with headphones",
    )
    talk.add_argument("--push-to-talk", action="store_true", help="start muted; Tab is the key")
    talk.add_argument("--list-devices", action="store_true", help="list the devices and stop")
    show = command(
        "show",
        "print a saved call",
        "Print a saved call: what was said, the tools, the latency of each answer and how it\n"
        "ended. Calls whose process was killed too.",
        "piopiy-lab show piopiy-lab-demo --plot timeline.svg",
    )
    show.add_argument("folder", type=Path, metavar="DIR", help="the folder of the call")
    show.add_argument("--plot", type=Path, metavar="FILE", help="draw it too (.png, .svg, .pdf)")
    serve = command(
        "serve",
        "serve calls from the phone",
        "Connect to Piopiy and run a session for each call, until SIGTERM or Ctrl-C: the first\n"
        "lets running calls end, a second one ends them. The agent's id and token are read from\n"
        "PIOPIY_AGENT_ID and PIOPIY_AGENT_TOKEN, and never shown. Run it several times, also on\n"
        "several machines: the platform spreads the calls.",
        "PIOPIY_AGENT_ID=... PIOPIY_AGENT_TOKEN=... piopiy-lab serve my_agent:create_session",
    )
    serve.add_argument("session", metavar="MODULE:FUNCTION", help="or path/to/file.py:FUNCTION")
    serve.add_argument("--agent-id", metavar="ID", help="in place of PIOPIY_AGENT_ID")
    serve.add_argument(
        "--token-file", type=Path, metavar="FILE", help="in place of PIOPIY_AGENT_TOKEN"
    )
    serve.add_argument("--signaling-url", metavar="URL", help="another signalling server")
    serve.add_argument("--rest-url", metavar="URL", help="another call control API")
    serve.add_argument("--max-sessions", type=int, metavar="N", help="refuse calls past this many")
    serve.add_argument(
        "--grace",
        type=float,
        default=30.0,
        metavar="SECS",
        help="how long calls may go on after SIGTERM (default: %(default)g)",
    )
    serve.add_argument("--record", type=Path, metavar="DIR", help="save each call in here")
    serve.add_argument("--quiet", action="store_true", help="log warnings and errors only")
    notebooks = command(
        "notebooks",
        "copy the notebooks and open them",
        "Copy the notebooks that came with the package into a folder and start JupyterLab there.\n"
        "Notebooks that are there already stay as they are.",
        "piopiy-lab notebooks my-notebooks",
    )
    notebooks.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=Path("piopiy-lab-notebooks"),
        metavar="DIR",
        help="the folder to copy them to (default: %(default)s)",
    )
    notebooks.add_argument("--no-start", action="store_true", help="only copy them")
    doctor = command(
        "doctor",
        "check what is installed",
        "Say what is installed, what is missing and how to install it. Changes nothing; opens\n"
        "each default sound device for a second to say what it hears; keys by name only.\n"
        "Exits with 0 if calls can run.",
        "piopiy-lab doctor --json",
    )
    doctor.add_argument("--json", action="store_true", help="as JSON")
    return parser
