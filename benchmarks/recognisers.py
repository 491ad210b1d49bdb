"""Voice x line x recogniser: word errors, and how the booking call went; with real weights.

    python benchmarks/recognisers.py             # needs the packages of real_weights.PACKAGES
    python benchmarks/recognisers.py --repeat 5  # more calls a row, each another phase and level

First what each recogniser makes of sentences, said one by one over a perfect line; then the booking
call, in virtual time. The offline recogniser listens for the desk's phrases, Whisper for anything.
What they compute is in no figure.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import real_weights
from loguru import logger
from real_desk import SAID, WHISPER
from recognised import SENTENCES, Booked, Voice, as_audio, book, recognise
from word_errors import WordErrors

from piopiy_lab import Line

RECOGNISERS = {"offline": "offline", "Whisper base": WHISPER}
LINES: dict[str, Callable[[int], Line | None]] = {
    "perfect": lambda seed: None,
    "phone": lambda seed: Line.phone(seed=seed),
    "mobile": lambda seed: Line.mobile(seed=seed),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3, help="calls a row")
    parser.add_argument("--calls-only", action="store_true", help="not the sentences")
    options = parser.parse_args()
    logger.remove()
    models = real_weights.models()
    joe = real_weights.Joe(models)
    voices: dict[str, Voice] = {"Piper joe": joe.says, "espeak": lambda text: text}
    if not options.calls_only:
        sentences(models, voices)
    print("\n| voice | line | recogniser | booked | word errors | turns answered | cut | wait |")
    print("|---|---|---|---|---|---|---|---|")
    began = time.perf_counter()
    for row in calls(models, voices, options.repeat):
        print(row, flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s")


def sentences(models: Path, voices: dict[str, Voice]) -> None:
    """Print the word errors of each recogniser, sentence by sentence."""
    people = [(said.text, as_audio(said.samples(), 16000)) for said in real_weights.human_speech()]
    sets = {name: [(text, voice(text)) for text in SENTENCES] for name, voice in voices.items()}
    print(f"| speech | {' | '.join(RECOGNISERS)} |")
    print("|---|---|---|")
    for name, said in {**sets, "people, of anything": people}.items():
        found = [str(recognise(models, stt, said)) for stt in RECOGNISERS.values()]
        print(f"| {name} | {' | '.join(found)} |", flush=True)


def calls(models: Path, voices: dict[str, Voice], repeat: int) -> Iterator[str]:
    """Yield a row for each voice, line and recogniser."""
    for name, voice in voices.items():
        for line_name, make_line in LINES.items():
            for recogniser, stt in RECOGNISERS.items():
                done = [
                    book(models, stt, voice, line=make_line(seed), seed=seed)
                    for seed in range(1, repeat + 1)
                ]
                yield f"| {name} | {line_name} | {recogniser} | {_told(done)} |"


def _told(done: list[Booked]) -> str:
    errors = sum((one.errors for one in done), WordErrors(0, 0))
    waits = [one.wait for one in done if one.wait is not None]
    wait = f"{1000 * statistics.median(waits):.0f} ms" if waits else "-"
    booked, turns = sum(one.booked for one in done), len(SAID) * len(done)
    answered, cut = sum(one.answered for one in done), sum(one.cut for one in done)
    return f"{booked} of {len(done)} | {errors} | {answered} of {turns} | {cut} | {wait}"


if __name__ == "__main__":
    main()
