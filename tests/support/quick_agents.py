"""An agent of one answer: half a second of computing a call, for comparisons and sweeps."""

from __future__ import annotations

from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

from piopiy_lab import Caller, VoiceAgent, offline_stack
from piopiy_lab.listening.turn_taking import make_strategies

#: What callers say, and how the turn model takes it: "anna" in half of the calls for unfinished.
SAID = ("anna", "tomorrow")


def quick(*, wait=None, reply="Thank you.", instructions="Be brief.", **action):
    """A session callback.

    Args:
        wait: Seconds that an unfinished turn is waited for; 1.5 by default.
        reply: To whatever is said.
        instructions: The prompt.
        **action: For ``Action()``.
    """

    async def create_session(call_id):
        agent = VoiceAgent(instructions=instructions, greeting="Hi.")
        stt, llm, tts = offline_stack(phrases=list(SAID), replies=dict.fromkeys(SAID, reply))
        own = dict(action)
        if wait is not None:
            analyzer = LocalSmartTurnAnalyzerV3(params=SmartTurnParams(stop_secs=wait))
            own["turn_strategies"] = make_strategies(
                vad=True, allow_interruptions=True, turn_analyzer=analyzer
            )
        await agent.Action(**{"stt": stt, "llm": llm, "tts": tts, "vad": True, **own})
        await agent.start()

    return create_session


def says(text):
    """A caller who says one thing, and hears the reply."""
    return Caller().hears_greeting().says(text).hears_reply().hangs_up()


SURE, UNSURE = says("tomorrow"), says("anna")
