"""What a service's second call relies on in pipecat's classes."""

import asyncio

import pytest
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from piopiy_lab.errors import IncompatibleVersionError
from piopiy_lab.offline import RuleBook
from piopiy_lab.offline.llm import RuleLLMService
from piopiy_lab.offline.phrases import PhraseBook
from piopiy_lab.offline.seams import ServesAgain
from piopiy_lab.offline.stt import PhraseSTTService
from piopiy_lab.offline.tts import EspeakTTSService
from piopiy_lab.services.fitting import expect_attributes


@pytest.mark.parametrize("base", [LLMService, STTService, TTSService])
def test_pipecats_services_have_what_is_always_kept(base):
    expect_attributes(
        base, "_id", "_name", "_prev", "_settings", "_event_handlers", needed_by="the test"
    )


def test_pipecats_services_have_what_is_kept_of_some():
    expect_attributes(LLMService, *RuleLLMService.KEPT, needed_by="the test")
    expect_attributes(TTSService, *EspeakTTSService.KEPT, needed_by="the test")


def test_a_service_that_can_not_be_kept_is_refused_by_name():
    with pytest.raises(IncompatibleVersionError, match="_ear_wax, which a service's second call"):

        class Service(ServesAgain, STTService):
            KEPT = ("_ear_wax",)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RuleLLMService(RuleBook({"hello": "Hi."})),
        lambda: PhraseSTTService(PhraseBook(["yes"])),
        EspeakTTSService,
    ],
    ids=["llm", "stt", "tts"],
)
def test_the_second_pipeline_gets_the_same_service_as_new(make):
    async def calls():
        service, before, after = make(), FrameProcessor(), FrameProcessor()
        before.link(service)
        service.link(after)
        name, number, settings = service.name, service.id, service._settings
        handlers, metrics = service._event_handlers, service._metrics
        await service.cleanup()
        before.link(service)
        service.link(after)
        assert (service.name, service.id) == (name, number)
        assert service._settings == settings
        assert service._event_handlers is handlers
        assert service._prev is before
        assert service._metrics is not metrics, "it is as new"

    asyncio.run(calls())
