"""Observers of the user's own: told of every frame, whenever they come."""

from __future__ import annotations

import asyncio

from pipecat.frames.frames import UserStoppedSpeakingFrame
from pipecat.observers.base_observer import BaseObserver

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate

ORDER = "a table for two tomorrow at seven"


class Counts(BaseObserver):
    """Counts what it is told of."""

    def __init__(self):
        super().__init__()
        self.pushed = self.processed = 0

    async def on_push_frame(self, data):
        self.pushed += isinstance(data.frame, UserStoppedSpeakingFrame)

    async def on_process_frame(self, data):
        self.processed += isinstance(data.frame, UserStoppedSpeakingFrame)


def run(given, later):
    async def create_session():
        stt, llm, tts = offline_stack()
        agent = VoiceAgent(instructions="x", greeting="Hello.")

        async def before(processor, frame):
            while later:  # as a processor of the user's does, on pipecat's own worker
                processor.pipeline_worker.add_observer(later.pop())

        stt.add_event_handler("on_before_process_frame", before)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, observers=given)
        await agent.start()

    caller = Caller().hears_greeting().says(ORDER).hears_reply().hangs_up()
    asyncio.run(simulate(create_session, caller)).raise_for_error()


def test_one_that_is_given_and_one_that_comes_later_are_told_of_the_same_turn():
    given, beside, alone = Counts(), Counts(), Counts()
    run([given], [beside])
    run([], [alone])
    assert given.pushed > 0
    assert given.processed > 0
    for later in (beside, alone):
        assert (later.pushed, later.processed) == (given.pushed, given.processed)
