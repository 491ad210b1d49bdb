"""The stand-in for the language model: it talks for a while, so that there is speech to talk into.

What is measured is when the agent speaks and stops, not what it says: so whoever calls is answered
with one long sentence, which has no pause of 0.2 s, and after that with short ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from piopiy_lab.offline.llm import RuleLLMService
from piopiy_lab.offline.replies import Answer, Heard, Said, ToolReturned
from piopiy_lab.offline.rules import RuleBook
from piopiy_lab.offline.tts import EspeakTTSService

#: Some 14 s, without a comma: a pause in it would count as the agent's silence.
LONG = (
    "on fridays the kitchen opens at noon and the cook brings bread and soup and olives to every "
    "table before anybody has asked for anything and then the fish comes in from the harbour and "
    "we grill it over charcoal with lemon and salt and a little garlic while the people at the bar "
    "wait for their turn and talk about the weather"
)
#: What is said to everything after it.
SHORT = "all right then let us do that and tell me what else you would like to know about it"
#: By so many words the long one is known again, however little of it was heard.
_KNOWN = "on fridays"


class TalkersBook(RuleBook):
    """Rules without rules: the long line once, and then the short one."""

    def __init__(self) -> None:
        super().__init__({"hello": LONG}, opening="Hello.")

    def answer(self, history: Sequence[Heard | Said | ToolReturned]) -> Answer:
        """Return what is said next."""
        if not any(isinstance(entry, Heard) for entry in history):
            return super().answer(history)
        told = any(isinstance(e, Said) and e.text.lower().startswith(_KNOWN) for e in history)
        return Answer(SHORT if told else LONG)


def make_talker() -> RuleLLMService:
    """Return the stand-in, for one call."""
    return RuleLLMService(TalkersBook())


def make_voice() -> EspeakTTSService:
    """Return the voice that goes with it, for one call."""
    return EspeakTTSService()
