"""What the tests of cassettes share: a desk to call, and what two calls have in common."""

from __future__ import annotations

import asyncio
import hashlib

import numpy as np
from booking_truth import BOOKING as BOOKING
from booking_truth import desk_session

from piopiy_lab import Caller, simulate

SHORT = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()


def run(create_session=desk_session, caller=SHORT, **options):
    return asyncio.run(simulate(create_session, caller, **options))


def lines(call):
    """The log, but for what only the caller's screenplay says."""
    return [e.to_json() for e in call.events if not type(e).__name__.startswith("CallerStep")]


def sound(call):
    return hashlib.sha256(np.ascontiguousarray(call.recording).tobytes()).hexdigest()
