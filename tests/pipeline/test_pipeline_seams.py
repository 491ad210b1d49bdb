"""What the pipeline's seams rely on beside names, which tests/test_seams.py takes away."""

from __future__ import annotations

import asyncio

import pytest
from pipecat.frames.frames import ErrorFrame
from pipecat.pipeline.service_switcher import ServiceSwitcher as PipecatSwitcher
from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab import offline_stack
from piopiy_lab.errors import IncompatibleVersionError
from piopiy_lab.offline import EspeakTTSService
from piopiy_lab.pipeline import seams
from piopiy_lab.pipeline.part_checks import check_services


@pytest.mark.parametrize(
    "method",
    [
        "_FrameProcessor__process_frame",
        "_FrameProcessor__internal_push_frame",
        "_start_interruption",
    ],
)
def test_another_text_for_an_uncaught_exception_is_said(method, monkeypatch):
    seams.check_messages()

    async def worded_otherwise(self, *_):
        await self.push_error(error_msg="Something went wrong")

    monkeypatch.setattr(FrameProcessor, method, worded_otherwise)
    with pytest.raises(
        IncompatibleVersionError, match=r"no longer says '(Error|Uncaught).* use pipecat-ai<"
    ):
        seams.check_messages()


class Raises(FrameProcessor):
    async def process_frame(self, frame, direction):
        raise ValueError("a mistake")


def test_an_exception_that_a_processor_lets_out_is_told_from_one_that_it_caught():
    errors = []

    async def run():
        raising = Raises(enable_direct_mode=True)

        async def on_error(_, error):
            errors.append(error)

        raising.add_event_handler("on_error", on_error)
        await raising.queue_frame(ErrorFrame("x"))
        await raising.push_error("the provider said no", exception=ValueError("no"))

    asyncio.run(run())
    assert [seams.is_uncaught(error) for error in errors] == [True, False]


def test_a_switcher_whose_services_stand_otherwise_is_refused_at_action():
    _, llm, _ = offline_stack()
    voices = [EspeakTTSService(name="a"), EspeakTTSService(name="b")]
    chosen, switchers = {"stt": None, "llm": llm, "tts": None}, {"tts": PipecatSwitcher(voices)}
    check_services(chosen, switchers)
    voices[1].link(Raises())  # as another pipecat might build it
    with pytest.raises(
        IncompatibleVersionError,
        match="ServiceSwitcher does not set each service between two FunctionFilters.*; use pip",
    ):
        check_services(chosen, switchers)
