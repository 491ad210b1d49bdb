"""espeak-ng with hardly a file descriptor left: a clip is whole, or an error; never a crash."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

resource = pytest.importorskip("resource", reason="no limits on files here")

SCRIPT = """
    import os, resource, sys
    from piopiy_lab.errors import PiopiyLabError
    from piopiy_lab.sound.espeak import engine

    def say(voice):
        return len(engine().speak("hello there", voice, rate=150, pitch=50, range=50)[0])

    whole = {voice: say(voice) for voice in ("en-us", "de")}
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    held = []
    while True:
        try:
            held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            break
    for _ in range(int(sys.argv[1])):
        os.close(held.pop())
    for voice in ("en-us", "de", "en-us"):
        try:
            assert say(voice) == whole[voice]
            print("whole")
        except PiopiyLabError as error:
            print(error)
    for handle in held:
        os.close(handle)
    assert all(say(voice) == whole[voice] for voice in whole)
"""


@pytest.mark.parametrize("free", range(6))
def test_a_clip_is_whole_or_an_error(free: int):
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(free)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr
    told = set(ended.stdout.splitlines())
    assert told == {"whole"} if free >= 4 else "free file descriptors" in told.pop()
