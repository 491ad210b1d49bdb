"""What tools need of the insides of pipecat's MCP client, its language models and its marks.

What stands in ``pipecat.services.mcp_service`` is checked when the first client is opened: without
the ``mcp`` extra there is no such module.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TextIO

from pipecat.adapters.llm.schemas.direct_function import tool_options
from pipecat.services.llm_service import LLMService

from piopiy_lab.services.fitting import Reliance, attributes, expect, method

#: Returns what to call in a function's place, by its name and what is registered for it.
Double = Callable[[str | None, Any], Callable[..., Any] | None]
#: The module of pipecat's MCP client; loaded if there is a client.
MCP = "pipecat.services.mcp_service"


@tool_options(timeout_secs=1.0)
def _marked() -> None:
    """A function with pipecat's marks, to see whether they are called what we read."""


RELIED_ON = (
    *attributes(
        _marked,
        "_pipecat_timeout_secs",
        "_pipecat_cancel_on_interruption",
        needed_by="a tool marked with pipecat's tool_options",
    ),
    *attributes(LLMService, "_function_call_timeout_secs", needed_by="the time limit of a tool"),
    *attributes(LLMService, "_functions", needed_by="a double of a tool"),
    method(LLMService, "_run_function_call", "runner_item", needed_by="a double of a tool"),
)
expect(RELIED_ON)


def relied_on_of_mcp(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what MCP tools rely on in pipecat's module of them."""
    what, client = "an MCP server's tools", module.MCPClient
    return (
        *attributes(client, "_server_params", "_session_requested", needed_by=what),
        *attributes(client, "_session_task", "_active_session", needed_by=what),
        *attributes(client, "_tools_arguments", "_tools_output_filters", needed_by=what),
        method(client, "_open_session", "as_owner", needed_by=what),
        method(client, "_drop_session", "session", needed_by=what),
        *attributes(module, "_ToolWrapperWithCleanup", needed_by=what),
        *attributes(module._ToolWrapperWithCleanup, "_pipecat_cleanup", needed_by=what),
        method(module, "stdio_client", "server", "errlog", needed_by="an MCP server's last words"),
    )


def relied_on_of_llm(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what keeping a bad answer's arguments relies on in the module of a language model."""
    return attributes(module, "json", needed_by="a tool call whose arguments are no JSON")


#: Modules of language models that read nothing but the arguments of tool calls with ``json.loads``.
READING_ARGUMENTS = tuple(
    f"pipecat.services.{module}"
    for module in (
        "anthropic.llm",
        "aws.llm",
        "azure.voice_live.llm",
        "openai.base_llm",
        "openai.live.llm",
        "openai.realtime.llm",
        "sambanova.llm",
        "xai.realtime.llm",
    )
)
#: What is checked only when its module is there.
LATE = {MCP: relied_on_of_mcp, **dict.fromkeys(READING_ARGUMENTS, relied_on_of_llm)}

# --- marks on functions -----------------------------------------------------------------------


def timeout_mark(handler: object) -> float | None:
    """Return the time limit of pipecat's ``tool_options``. Missing: a reader of its marks."""
    return getattr(handler, "_pipecat_timeout_secs", None)


def cancel_mark(handler: object) -> bool | None:
    """Return whether an interruption stops a function so marked."""
    return getattr(handler, "_pipecat_cancel_on_interruption", None)


def service_time_limit(llm: object) -> float | None:
    """Return the limit that an LLM service was made with. Missing: a property."""
    return getattr(llm, "_function_call_timeout_secs", None)


# --- doubles ----------------------------------------------------------------------------------


class _Doubled:
    """What a service has registered for a tool, with another handler: the rest is the tool's."""

    def __init__(self, item: Any, handler: Callable[..., Any]) -> None:
        vars(self).update(item=item, handler=handler)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["item"], name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(vars(self)["item"], name, value)


class _Registry(dict[str | None, Any]):
    """The functions of a service: one that is looked up to be run has its double's handler."""

    def __init__(self, functions: Mapping[str | None, Any], double: Double, llm: object) -> None:
        super().__init__(functions)
        self._double, self._llm = double, llm
        self.ever = {name for name in functions if name is not None}

    def __setitem__(self, name: str | None, item: Any) -> None:
        super().__setitem__(name, item)
        if name is not None:
            self.ever.add(name)

    def __getitem__(self, name: str | None) -> Any:
        item = super().__getitem__(name)
        if getattr(item.handler, "__self__", None) is self._llm:  # pipecat's own
            return item
        handler = self._double(name, item)
        return item if handler is None else _Doubled(item, handler)


def stand_in_for_tools(llm: Any, double: Double) -> None:
    """Have the functions of an LLM service called otherwise, those registered later too.

    Missing: a hook around a tool call. A handler that was put in another's place with
    ``register_function`` would give way to the one that comes with the next context's tools.

    Args:
        llm: The service.
        double: Returns what to call, of a function's name (None: it serves all) and of what is
            registered for it; None to leave it.
    """
    llm._functions = _Registry(llm._functions, double, llm)


def stop_standing_in(llm: Any) -> None:
    """Call the functions of an LLM service as they are: it may serve another call."""
    if isinstance(llm._functions, _Registry):
        llm._functions = dict(llm._functions)


def functions_of(llm: Any) -> set[str]:
    """Return the names of all functions that a service has, or had. Missing: a property."""
    functions = llm._functions
    return functions.ever if isinstance(functions, _Registry) else {one for one in functions if one}


# --- MCP clients ------------------------------------------------------------------------------


def is_client(source: object) -> bool:
    """Whether something is an ``MCPClient``."""
    module = sys.modules.get(MCP)
    return module is not None and isinstance(source, module.MCPClient)


def client_of(handler: object) -> Any:
    """Return the client whose tool a handler of ``client.tools()`` calls, None if it is another's.

    Missing: the client as an attribute of the handler; its clean-up is the client's ``close``.
    """
    client = getattr(getattr(handler, "_pipecat_cleanup", None), "__self__", None)
    return client if is_client(client) else None


def server_of(client: Any) -> Any:
    """Return the parameters of a client's server. Missing: a property."""
    return client._server_params


def is_opened_by_another(client: Any) -> bool:
    """Whether somebody has started a client already. Missing: a property."""
    return client._session_requested


def session_task_of(client: Any) -> asyncio.Task[None] | None:
    """Return the task that owns a client's connection, None without one.

    Missing: on which loop a client is connected; and a way to end the process of a server that is
    started and does not answer.
    """
    return client._session_task


def is_connected(client: Any) -> bool:
    """Whether a client has a session. Missing: a property."""
    return client._active_session is not None


async def open_session(client: Any) -> Any:
    """Return the session of a client that somebody has started, connected again if it was lost.

    Missing: ``call_tool()`` that raises. pipecat's tells the LLM of a failure, and nobody else.
    """
    return await client._open_session(as_owner=False)


def stand_in_for_session(client: Any, session: object) -> None:
    """Let a client take an object for its connected session. Missing: a transport of one's own."""
    client._active_session = session


async def drop_session(client: Any, session: object) -> None:
    """Let a client connect again at the next ``open_session``. Missing: its public form."""
    await client._drop_session(session)


def fixed_arguments(client: Any, name: str) -> Mapping[str, Any]:
    """Return the arguments that a client adds to every call of a tool. Missing: a property."""
    return client._tools_arguments.get(name) or {}


def output_filter(client: Any, name: str) -> Callable[[Any], Any] | None:
    """Return what a client puts a tool's result through. Missing: a property."""
    return client._tools_output_filters.get(name)


_wrapped: set[str] = set()  # MCP, once its stdio_client is ours


def wrap_stdio_client(standard_error: Callable[[], TextIO]) -> None:
    """Let pipecat start MCP servers with a standard error of ours, once for the process.

    Missing: ``errlog`` among the parameters of ``MCPClient``.

    Args:
        standard_error: Returns the file for a server that is started now.

    Raises:
        IncompatibleVersionError: pipecat's module of MCP is not as its tools need it here.
    """
    module: Any = sys.modules.get(MCP)
    if module is None or MCP in _wrapped:
        return
    expect(relied_on_of_mcp(module))
    original: Callable[..., Any] = module.stdio_client

    def stdio_client(server: object, errlog: TextIO | None = None) -> Any:
        return original(server, errlog=errlog or standard_error())

    module.stdio_client = stdio_client
    _wrapped.add(MCP)


# --- the arguments of tool calls -----------------------------------------------------------------


class _Arguments:
    """The ``json`` of a module that reads tool calls: what is no JSON stays the text it was."""

    def __getattr__(self, name: str) -> Any:
        return getattr(json, name)

    def loads(self, text: str) -> Any:
        """Return the arguments of a tool call; none are an empty object."""
        if not text.strip():
            return {}
        try:
            return json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return text


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def keep_arguments(llm: object) -> None:
    """Let a tool be called although its arguments are no JSON: it fails, and the LLM is told.

    Missing: a hook for such an answer. pipecat drops the call with a line in its log, and the
    caller is left without a word.

    Raises:
        IncompatibleVersionError: pipecat's module reads them in another way.
    """
    for cls in type(llm).__mro__:
        module: Any = sys.modules.get(cls.__module__)
        if cls.__module__ not in READING_ARGUMENTS or module is None:
            continue
        expect(relied_on_of_llm(module))
        if not isinstance(module.json, _Arguments):
            module.json = _Arguments()
