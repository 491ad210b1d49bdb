"""Start-up: import of the package, and start_call() to listening, warm and cold."""

from __future__ import annotations

import statistics
import subprocess
import sys

IMPORT = "import time; t = time.perf_counter(); import piopiy_lab; print(time.perf_counter() - t)"
COLD = """
import sys, time
sys.path.insert(0, {path!r})
t = time.perf_counter()
from common import desk_session
from piopiy_lab import Caller, start_call
call = start_call(desk_session, Caller().hears_greeting())
while call.state == "starting":
    time.sleep(0.005)
cold = time.perf_counter() - t
call.hang_up(); call.join(5)
t = time.perf_counter()
call = start_call(desk_session, Caller().hears_greeting())
while call.state == "starting":
    time.sleep(0.001)
print(cold, time.perf_counter() - t)
call.hang_up(); call.join(5)
"""


def run(code: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [float(value) for value in done.stdout.split()]


def main() -> None:
    here = __file__.rsplit("/", 1)[0]
    imports = [run(IMPORT)[0] for _ in range(5)]
    starts = [run(COLD.format(path=here)) for _ in range(3)]
    print(f"import piopiy_lab              {statistics.median(imports):6.3f} s   (budget 0.2)")
    print(f"start_call to listening, cold  {statistics.median(s[0] for s in starts):6.3f} s")
    warm = statistics.median(s[1] for s in starts)
    print(f"start_call to listening, warm  {warm:6.3f} s   (budget 2)")


if __name__ == "__main__":
    main()
