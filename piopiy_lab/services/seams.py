"""What is needed of the insides of pipecat's services: checked when a call gets one.

The services are not imported here: each needs its provider's package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from piopiy_lab.services.fitting import Reliance, attributes, expect

#: The task in which a realtime service reads from its provider, and whether its mere end means that
#: the connection is gone (Gemini Live's also ends when it has connected again).
READERS = {"_receive_task_handler": True, "_connection_task_handler": False}

#: Where that task is in pipecat's realtime services. Any other class (a user's) is watched if it
#: has one of the two.
KNOWN_READERS = {
    "AWSNovaSonicLLMService": "_receive_task_handler",
    "AzureVoiceLiveLLMService": "_receive_task_handler",
    "GeminiLiveLLMService": "_connection_task_handler",
    "GrokRealtimeLLMService": "_receive_task_handler",
    "InworldRealtimeLLMService": "_receive_task_handler",
    "OpenAIRealtimeLLMService": "_receive_task_handler",
}


def relied_on_of(service_class: type) -> Iterator[Reliance]:
    """Return what watching the connection of a service relies on."""
    for cls in service_class.__mro__:
        if cls.__module__.startswith("pipecat.") and cls.__name__ in KNOWN_READERS:
            what = f"the watch over {cls.__name__}'s connection"
            yield from attributes(
                cls, KNOWN_READERS[cls.__name__], "_disconnecting", needed_by=what
            )


def replace_readers(
    llm: object, reporting: Callable[[Callable[..., object], bool], Callable[..., object]]
) -> None:
    """Put functions of ours in the place of a service's readers, on this object alone.

    Missing: an event, or an error frame, when the connection is lost.

    Args:
        llm: The service; one that has no reader, or ours already, stays as it is.
        reporting: Makes ours of a reader, and of whether its mere end is a loss.

    Raises:
        IncompatibleVersionError: A service of pipecat's has no reader where it used to be.
    """
    expect(relied_on_of(type(llm)))
    for name, end_is_loss in READERS.items():
        read = getattr(llm, name, None)
        if read is not None and name not in vars(llm):
            setattr(llm, name, reporting(read, end_is_loss))


def is_leaving(llm: object) -> bool:
    """Whether a realtime service closes its connection itself. Missing: a property."""
    return bool(getattr(llm, "_disconnecting", False))
