"""A session for the tests of ``piopiy-lab serve``: it lasts as long as its call id says."""

from __future__ import annotations

import asyncio
import sys


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def create_session(call_id):
    say(f"begin {call_id}")
    try:
        await asyncio.sleep(float(call_id.partition("-")[2]))
        say(f"done {call_id}")
    except asyncio.CancelledError:
        say(f"cancelled {call_id}")
        raise


def not_a_session():
    pass
