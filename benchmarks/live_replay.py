"""Live calls beside their replays: every part of every turn's latency, side by side.

    python benchmarks/live_replay.py [--calls N] [--on caller,card,phone] [--keep DIR] [--again]

Calls of pipecat's own Deepgram, OpenAI and Cartesia services with providers that are fakes, in a
process of their own and with delays, recorded with a cassette: N with a scripted caller on the wall
clock, N with a voice that is played into a virtual sound card, N over the loopback phone. Each is
replayed from its cassette in virtual time. Prints a table of all turns, and the distribution of
what the parts and totals are off by; ``--again`` replays what an earlier run has kept. The sound
card wants PulseAudio, as tests/realtime does.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "support")]

from piopiy_lab import Agent, Call, Caller, Microphone, VoiceAgent, events, start_call  # noqa: E402
from piopiy_lab.call.turns import PARTS, Turn  # noqa: E402
from piopiy_lab.fake_providers import (  # noqa: E402
    FakeCartesia,
    FakeDeepgram,
    FakeOpenAI,
    Scenario,
)
from piopiy_lab.loopback import LoopbackPlatform  # noqa: E402
from piopiy_lab.offline import booking_desk  # noqa: E402

SAYS = (
    "a table for two tomorrow at seven",
    "my name is anna",
    "no make it friday",
    "yes please",
    "what times do you have",
    "thank you very much",
)
#: Seconds after which the caller answers.
PAUSE_SECS = 1.0
#: DESIGN's limits, in ms: of a part, a total, and a caller's act beside what the agent did.
LIMITS = {"part": 20.0, "total": 30.0, "anchor": 80.0}


# --- the providers ------------------------------------------------------------------------------


def serve(pipe: Any) -> None:
    """Serve in a process of one's own until the other end is closed: its computing is its own."""
    asyncio.run(_serve(pipe))


async def _serve(pipe: Any) -> None:
    spec = booking_desk()
    async with (
        FakeDeepgram(
            SAYS, scenario=Scenario(first_byte_secs=0.08, late_final_secs=0.12)
        ) as deepgram,
        FakeOpenAI(rules=spec.rules(), token_secs=0.03, scenario=Scenario.slow(0.35)) as openai,
        FakeCartesia(speed=6.0, scenario=Scenario.slow(0.17)) as cartesia,
    ):
        pipe.send((deepgram.base_url, openai.base_url, cartesia.url))
        try:
            await asyncio.to_thread(pipe.recv)
        except EOFError:
            return


@contextmanager
def providers() -> Iterator[tuple[str, str, str]]:
    """Yield the addresses of three fake providers."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.close()
        process.join(5)
        process.kill()


def desk(addresses: tuple[str, str, str]) -> Callable[..., Any]:
    """Return the booking desk on these providers."""
    deepgram, openai, cartesia = addresses

    async def create_session() -> None:
        from pipecat.services.cartesia.tts import CartesiaTTSService
        from pipecat.services.deepgram.stt import DeepgramSTTService
        from pipecat.services.openai.llm import OpenAILLMService

        spec = booking_desk()
        agent = VoiceAgent(
            instructions=spec.instructions, greeting=spec.greeting, tools=list(spec.tools)
        )
        await agent.Action(
            stt=DeepgramSTTService(api_key="fake-deepgram-key", base_url=deepgram),
            llm=OpenAILLMService(api_key="fake-openai-key", base_url=openai),
            tts=CartesiaTTSService(
                api_key="fake-cartesia-key",
                url=cartesia,
                settings=CartesiaTTSService.Settings(voice="agent"),
            ),
            vad=True,
        )
        await agent.start()

    return create_session


NOWHERE = ("ws://127.0.0.1:9", "http://127.0.0.1:9/v1", "ws://127.0.0.1:9")


# --- the calls ----------------------------------------------------------------------------------


def caller() -> Caller:
    """The screenplay."""
    one = Caller().hears_greeting(timeout=20)
    for text in SAYS:
        one = one.says(text).hears_reply(timeout=20)
    return one.hangs_up()


def by_a_caller(folder: Path) -> None:
    """Record a call with a scripted caller on the wall clock."""
    with providers() as addresses:
        call = start_call(desk(addresses), caller(), record=folder, cassette=folder / "cassette")
        call.join(180)
    call.raise_for_error()


def on_the_card(folder: Path) -> None:
    """Record a call on the virtual sound card."""
    from virtual_card import VirtualCard

    from piopiy_lab.transports import devices

    with tempfile.TemporaryDirectory() as runtime, providers() as addresses:
        os.chmod(runtime, 0o700)
        card = VirtualCard(Path(runtime))
        os.environ.update({n: card.env[n] for n in ("PULSE_SERVER", "PULSE_RUNTIME_PATH")})
        try:
            devices.look_again()
            call = start_call(
                desk(addresses), Microphone(), record=folder, cassette=folder / "cassette"
            )
            for number, text in enumerate(SAYS, 1):
                _heard_out(call, number)
                card.say(text)
            _heard_out(call, len(SAYS) + 1)
            call.hang_up()
            call.join(10)
        finally:
            card.stop()
    call.raise_for_error()


def _heard_out(call: Call, speeches: int) -> None:
    """Wait until the agent has said so much, and is silent for a while."""
    deadline = time.monotonic() + 40
    while call.state != "ended" and time.monotonic() < deadline:
        stops = call.events.of(events.AgentSpeechStopped)
        spoke = call.events.of(events.UserTurnStopped)
        quiet = stops and call.activity == "idle" and call.duration - stops[-1].at > PAUSE_SECS
        if quiet and len(spoke) >= speeches - 1 and (not spoke or stops[-1].at > spoke[-1].at):
            return
        time.sleep(0.02)
    raise TimeoutError(f"the agent was not heard to the end: {call}")


def on_the_phone(folder: Path) -> None:
    """Record a call over the loopback phone, its agent's side."""
    with tempfile.TemporaryDirectory() as calls:
        asyncio.run(_on_the_phone(calls))
        (kept,) = Path(calls).iterdir()
        shutil.copytree(kept, folder)


async def _on_the_phone(calls: str) -> None:
    with providers() as addresses:
        async with LoopbackPlatform() as platform:
            token = platform.agent_token("a1")
            session, where = desk(addresses), platform.signaling_url
            agent = Agent("a1", token, session, where, record=calls, cassette=True)
            running = asyncio.create_task(agent.connect())
            try:
                while agent.state != "connected":  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.01)
                (await platform.place_call("a1", caller())).raise_for_error()
                while agent.sessions.running:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            finally:
                await agent.shutdown()
                await asyncio.gather(running, return_exceptions=True)


KINDS = {"caller": by_a_caller, "card": on_the_card, "phone": on_the_phone}


# --- live and replayed --------------------------------------------------------------------------


def compared(folder: Path) -> tuple[list[tuple[Turn, Turn]], list[float], str]:
    """Replay a call; returns its turns live and replayed, anchors' errors in ms, the verdict."""
    call = Call.load(folder)
    again = asyncio.run(call.replay(desk(NOWHERE), cassette=folder / "cassette"))
    again.call.raise_for_error()
    acts = zip(Caller.from_call(call).steps, Caller.from_call(again.call).steps, strict=False)
    anchors = [
        1000 * abs(now.gap - was.gap)
        for was, now in acts
        if was.what == now.what == "says" and (was.after, was.nth) == (now.after, now.nth)
    ]
    said = [(e.role, e.text) for e in call.transcript]
    words = said == [(e.role, e.text) for e in again.call.transcript]
    told = "the same" if again.divergence is None else str(again.divergence)
    told += "" if words else ", other words"
    told += "" if len(call.turns) == len(again.call.turns) else ", other turns"
    return list(zip(call.turns, again.call.turns, strict=False)), anchors, told


def ms(turn: Turn, part: str) -> float:
    """Return a part or the total in ms."""
    return 1000 * (turn.total if part == "total" else turn.parts[part])


def spread(values: list[float], limit: float) -> str:
    """Return a distribution in a row of a table."""
    if not values:
        return "| - | - | - | - | - | - |"
    at = np.percentile(values, [50, 90, 95])
    within = 100 * np.mean(np.array(values) <= limit)
    cells = [f"{v:.1f}" for v in (*at, max(values))]
    return f"| {len(values)} | {' | '.join(cells)} | {within:.0f} % of {limit:.0f} |"


def table(rows: list[tuple[str, Turn, Turn]], anchors: list[float]) -> str:
    """Return all turns side by side, and the distributions."""
    names = (*PARTS, "total")
    lines = [
        "Milliseconds, live / replayed:",
        "",
        "| call | turn | " + " | ".join(names) + " |",
        "|---" * (2 + len(names)) + "|",
    ]
    for kind, was, now in rows:
        cells = [f"{ms(was, n):.0f} / {ms(now, n):.0f}" for n in names]
        lines.append(f"| {kind} | {was.user} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Of the absolute difference, in ms:",
        "",
        "| of | on | n | median | p90 | p95 | most | within |",
        "|---|---|---|---|---|---|---|---|",
    ]
    kinds = ["all", *dict.fromkeys(kind.split()[0] for kind, _, _ in rows)]
    for kind in kinds:
        chosen = [(a, b) for k, a, b in rows if kind == "all" or k.startswith(kind)]
        for name in names:
            off = [abs(ms(a, name) - ms(b, name)) for a, b in chosen]
            limit = LIMITS["total" if name == "total" else "part"]
            lines.append(f"| {name} | {kind} {spread(off, limit)}")
        parts = [abs(ms(a, n) - ms(b, n)) for a, b in chosen for n in PARTS]
        lines.append(f"| every part | {kind} {spread(parts, LIMITS['part'])}")
        signed = [ms(b, "total") - ms(a, "total") for a, b in chosen]
        lines.append(f"| total, signed: median {np.median(signed):+.1f} | {kind} | | | | | | |")
    lines.append(f"| anchors | all {spread(anchors, LIMITS['anchor'])}")
    return "\n".join(lines)


def main() -> None:
    """Record, replay, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--calls", type=int, default=2, help="of each kind")
    parser.add_argument("--on", default=",".join(KINDS))
    parser.add_argument("--keep", type=Path, help="a folder for the calls")
    parser.add_argument("--again", action="store_true", help="replay what is in it")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        kept = told.keep or Path(temporary)
        for kind in () if told.again else told.on.split(","):
            for number in range(1, told.calls + 1):
                KINDS[kind](kept / f"{kind}-{number}")
                print(f"{kind} {number} is recorded", flush=True)
        rows: list[tuple[str, Turn, Turn]] = []
        anchors: list[float] = []
        for folder in sorted(path for path in kept.iterdir() if (path / "events.jsonl").is_file()):
            turns, errors, verdict = compared(folder)
            name = folder.name.replace("-", " ")
            print(f"{name}: {verdict}", flush=True)
            rows += [(name, *pair) for pair in turns]
            anchors += errors
        print(table(rows, anchors))


if __name__ == "__main__":
    main()
