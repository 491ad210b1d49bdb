"""Our added latency and CPU over a bare pipecat pipeline with the same services, in real time.

Both sides hear the same caller at the same seconds, by turns, in one process; printed are medians
and ratios. Latency is from the detector's stop to the first audio of the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

from common import CALLER, bare_pipecat, caller_audio, desk_session

from piopiy_lab import events, simulate, start_call


def ours() -> tuple[list[float], float, float]:
    """Run the call on start_call(), recorded and logged as a user's would be."""
    cpu, began = time.process_time(), time.monotonic()
    call = start_call(desk_session, CALLER)
    call.join()
    cpu, secs = time.process_time() - cpu, time.monotonic() - began
    call.raise_for_error()
    return answer_secs(call), cpu, secs


def answer_secs(call) -> list[float]:
    stopped, secs = None, []
    for event in sorted(
        call.events.of(events.UserSpeechStopped, events.AgentSpeechStarted), key=lambda e: e.at
    ):
        if isinstance(event, events.UserSpeechStopped):
            stopped = event.at
        elif stopped is not None:
            secs.append(event.at - stopped)
            stopped = None
    return secs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    plan = asyncio.run(simulate(desk_session, CALLER))  # also warms the models up
    plan.raise_for_error()
    starts = [spoke.at for spoke in plan.events.of(events.CallerSpoke)]
    clip = caller_audio(starts, plan.duration)
    asyncio.run(bare_pipecat(clip[: 16000 * 4]))

    sides: dict[str, list[tuple[list[float], float, float]]] = {"bare pipecat": [], "ours": []}
    for _ in range(rounds):
        sides["bare pipecat"].append(asyncio.run(bare_pipecat(clip)))
        sides["ours"].append(ours())

    print(
        f"{'':14}{'latency, median':>17}{'latency, worst':>16}{'CPU / s of call':>17}{'answers':>9}"
    )
    found = {}
    for name, results in sides.items():
        latencies = [secs for answers, _, _ in results for secs in answers]
        cpu = sum(c for _, c, _ in results) / sum(s for _, _, s in results)
        found[name] = (statistics.median(latencies), cpu)
        print(
            f"{name:14}{statistics.median(latencies) * 1000:14.1f} ms"
            f"{max(latencies) * 1000:13.1f} ms{cpu * 1000:14.1f} ms{len(latencies):9}"
        )
    (latency, cpu), (our_latency, our_cpu) = found["bare pipecat"], found["ours"]
    print(f"\nours / bare:  latency x{our_latency / latency:.3f}   CPU x{our_cpu / cpu:.3f}")


if __name__ == "__main__":
    main()
