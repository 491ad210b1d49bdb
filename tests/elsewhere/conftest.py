"""The booking whose truth is known, once per worker."""

from __future__ import annotations

import asyncio

import pytest
from booking_truth import BOOKING, desk_session

from piopiy_lab import Call, simulate
from piopiy_lab.events import NoticeGiven


@pytest.fixture(scope="session")
def booking(tmp_path_factory):
    """The folder of the call as it was saved."""
    call = asyncio.run(simulate(desk_session, BOOKING))
    return call.save(tmp_path_factory.mktemp("truth") / "booking")


@pytest.fixture(scope="session")
def truth(booking):
    """The call itself."""
    return Call.load(booking)


@pytest.fixture
def notices():
    """The notices of a call, as one text."""
    return lambda call: "\n".join(event.message for event in call.events.of(NoticeGiven))
