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
from typing import TYPE_CHECKING

from piopiy_lab._version import __version__
from piopiy_lab.cli.bench import add_bench
from piopiy_lab.cli.saved_calls import add_saved_calls
from piopiy_lab.cli.sessions import UserCodeError
from piopiy_lab.cli.terminal import OutputClosedError, Terminal, forget_stdout
from piopiy_lab.errors import PiopiyLabError

if TYPE_CHECKING:
    from piopiy_lab.transports.microphones import Keyboard, Microphone

__all__ = ["main"]

BAD, CANT_RUN, INTERRUPTED, OUTPUT_CLOSED = 1, 2, 130, 141

_EXAMPLES = """\
examples:
  piopiy-lab demo                       a whole call, offline, in a few seconds
  piopiy-lab talk                       talk to it on your own microphone (--text: by typing)
  piopiy-lab new my-shop                an agent of your own, with its tests
  piopiy-lab show piopiy-lab-demo       what was said in a saved call, and how fast
  piopiy-lab replay calls/bad my_agent.py  a saved call again, on the agent as it is now
  piopiy-lab eval desk.yaml bot.py:bot  pipecat's eval file on the bot, in virtual time
  piopiy-lab bench my_agent.py          its turn-taking, by the public definitions
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
    color, debug = not getattr(options, "no_color", False), getattr(options, "debug", False)
    terminal = Terminal(color=color)
    try:
        return _run(terminal, options)
    except UserCodeError as failed:
        from piopiy_lab.cli.report import print_failure

        print_failure(Terminal(sys.stderr, color=color), failed.error, debug=debug)
        return CANT_RUN if options.command == "eval" else BAD  # its 1: a bot that did not pass
    except OutputClosedError:
        forget_stdout()
        return OUTPUT_CLOSED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except PiopiyLabError as error:
        if debug:
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
            from piopiy_lab.cli.talk import TalkOptions, talk

            told = TalkOptions(
                session=options.session,
                device=_device_of(options),
                record=options.record,
                reload=options.reload,
                debug=getattr(options, "debug", False),
            )
            return talk(terminal, told)
        case "new":
            from piopiy_lab.cli.new import new

            return new(terminal, options.folder)
        case "show":
            from piopiy_lab.cli.show import show

            return show(terminal, options.folder, options.plot, options.html)
        case "replay":
            from piopiy_lab.cli.replay import ReplayOptions, replay

            return replay(
                terminal,
                ReplayOptions(
                    folder=options.folder,
                    session=options.session,
                    tools="run" if options.run_tools else "recorded",
                    cassette=options.cassette,
                    html=options.html,
                    save=options.save,
                ),
            )
        case "make-test":
            from piopiy_lab.cli.make_test import make_test

            return make_test(
                terminal,
                options.folder,
                options.tests,
                session=options.session,
                name=options.name,
                scrub=options.scrub,
                sound=options.sound,
                overwrite=options.overwrite,
            )
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
                    cassette=options.cassette,
                    quiet=options.quiet,
                ),
            )
        case "eval":
            from piopiy_lab.cli.evaluate import EvalOptions, evaluate

            return evaluate(
                terminal,
                EvalOptions(
                    scenario=options.scenario,
                    bot=options.bot,
                    only=options.only,
                    replace=options.replace,
                    judge=options.judge,
                    voice=options.voice,
                    persona=options.persona,
                    html=options.html,
                    junit=options.junit,
                    results=options.results,
                    debug=getattr(options, "debug", False),
                ),
            )
        case "bench":
            from piopiy_lab.cli.bench import bench

            return bench(terminal, options)
        case "notebooks":
            from piopiy_lab.cli.notebooks import notebooks

            return notebooks(terminal, options.folder, start=not options.no_start)
        case "doctor":
            from piopiy_lab.cli.doctor import doctor

            return doctor(terminal, as_json=options.json)
        case _:
            terminal.write(_parser().format_help())
            return 0


def _device_of(options: argparse.Namespace) -> Microphone | Keyboard:
    """Return what ``talk`` is on."""
    from piopiy_lab.transports.microphones import HALF_DUPLEX, Keyboard, Microphone

    output = _device(options.output or options.device)
    if options.text:
        return Keyboard(voice=not options.no_voice, output=output)
    return Microphone(
        _device(options.device),
        output,
        echo_cancellation={"on": True, "off": False}.get(options.echo, HALF_DUPLEX),
        push_to_talk=options.push_to_talk,
    )


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
        "your own session. Lines that you type are turns too, and with --text they are all there\n"
        "is; Ctrl-C hangs up.",
        "piopiy-lab talk my_agent.py --device USB",
    )
    talk.add_argument(
        "session", nargs="?", metavar="FILE.py", help="or FILE.py:FUNCTION, or MODULE:FUNCTION"
    )
    talk.add_argument("--text", action="store_true", help="type: no microphone is needed")
    talk.add_argument("--no-voice", action="store_true", help="with --text: read, don't listen")
    talk.add_argument("--record", type=Path, metavar="DIR", help="save the call as it happens")
    talk.add_argument(
        "--reload", action="store_true", help="call anew whenever the session's file is saved"
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
    fresh = command(
        "new",
        "make an agent of your own",
        "Make a folder with an agent, its tests, a notebook and a README, all of which run as\n"
        "they are: a place to begin.",
        "piopiy-lab new my-shop",
    )
    fresh.add_argument("folder", type=Path, metavar="NAME", help="the folder to make")
    add_saved_calls(command)
    serve = command(
        "serve",
        "serve calls from the phone",
        "Connect to Piopiy and run a session for each call, until SIGTERM or Ctrl-C: the first\n"
        "lets running calls end, a second one ends them. The agent's id and token are read from\n"
        "PIOPIY_AGENT_ID and PIOPIY_AGENT_TOKEN, and never shown. With PIOPIY_TOKEN in place of\n"
        "that, or with PIOPIY_REGISTER, it is a worker of Piopiy's gateway, where PIOPIY_TOKEN\n"
        "counts first. Run it several times, also on several machines: the platform spreads the\n"
        "calls.",
        "PIOPIY_AGENT_ID=... PIOPIY_AGENT_TOKEN=... piopiy-lab serve my_agent:create_session",
    )
    serve.add_argument("session", metavar="MODULE:FUNCTION", help="or path/to/file.py:FUNCTION")
    serve.add_argument("--agent-id", metavar="ID", help="in place of PIOPIY_AGENT_ID")
    serve.add_argument(
        "--token-file", type=Path, metavar="FILE", help="in place of what has the token"
    )
    serve.add_argument(
        "--signaling-url", metavar="URL", help="another signalling server, or gateway"
    )
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
    serve.add_argument(
        "--cassette", action="store_true", help="with --record: keep what the services answer, too"
    )
    serve.add_argument("--quiet", action="store_true", help="log warnings and errors only")
    evals = command(
        "eval",
        "run pipecat's eval files on a bot",
        "Run the scenarios of an eval file, or of a folder of them, on a pipecat bot or session,\n"
        "in virtual time: pipecat's own verdicts, without its waiting. What a file names and is\n"
        "not installed (a voice, a judge) has an offline stand-in, and a note says so.\n"
        "Exits with 0 if all passed, 1 if not, 2 if something could not run.",
        "piopiy-lab eval scenarios/booking.yaml bot.py:bot --html report.html",
    )
    evals.add_argument("scenario", type=Path, metavar="FILE.yaml", help="or a folder of them")
    evals.add_argument("bot", metavar="FILE.py:BOT", help="or MODULE:FUNCTION; a session does, too")
    evals.add_argument("--only", metavar="TEXT", help="the scenarios with this in their name")
    evals.add_argument(
        "--replace",
        action="append",
        default=[],
        metavar="WHAT=SERVICE",
        help="a service in place of the bot's: stt=screenplay, llm=my_fakes:make_llm; a function "
        "in place of a tool's: tools.book_table=my_fakes:book_table",
    )
    evals.add_argument(
        "--judge", metavar="JUDGE", help="rules, or MODULE:FUNCTION that makes a classifier"
    )
    evals.add_argument("--voice", metavar="NAME", help="an offline voice for the user")
    evals.add_argument(
        "--persona", metavar="MODULE:FUNCTION", help="makes the LLM of a simulated caller"
    )
    evals.add_argument("--html", type=Path, metavar="FILE", help="write everything as one page")
    evals.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML")
    evals.add_argument(
        "--results", type=Path, metavar="DIR", help="write pipecat's results.jsonl, and traces"
    )
    add_bench(command)
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
