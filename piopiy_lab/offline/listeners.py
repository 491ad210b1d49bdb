"""What the offline recogniser listens for besides, while the agent speaks. Pure.

A phrase book has what callers say to the agent. Over its words they say other things: "mm hmm",
"great", "stop"; and a grammar without these hears the nearest of its own sentences, "eight" for
"great". So what begins over the agent's words is decoded with these, too; what doesn't is not.
"""

from __future__ import annotations

from piopiy_lab.offline.phrases import PhraseBook

#: What shows that one listens, and what takes the floor: of ``listening.lexicon``'s English words
#: those that are in the recogniser's dictionary and are said by themselves.
OVER_AGENT = (
    "(mm hmm | mm | hmm | uh huh | ah | oh) [okay | i see | yeah]",
    "(okay | yeah | yep | yes | right | sure | alright | got it | great | cool | fine | good)"
    " [okay | yeah]",
    "(i see | exactly | perfect | makes sense | of course | absolutely | no way)",
    "oh (really | wow)",
    "right right",
    "(stop | wait | hold on | hang on | excuse me | sorry | no | no wait | one moment) [please]",
    "[no] (that is | that's) (wrong | not right | not what i said)",
    "(i have | can i ask) a question",
)


_SAID_OVER = PhraseBook(OVER_AGENT)


def is_said_over(text: str) -> bool:
    """Whether a text is one of those: a listener's, or one that takes the floor."""
    return _SAID_OVER.match(text) is not None


def with_listeners(book: PhraseBook) -> PhraseBook:
    """Return a book that also has what is said over the agent's words."""
    return PhraseBook([*book.phrases, *OVER_AGENT], book.slots)
