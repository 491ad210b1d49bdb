"""Tools of MCP servers: connected at ``Action``, called like any other tool, closed with the call.

pipecat's ``MCPClient`` keeps the connection. Its own handler tells the LLM of a failure in words
and nobody else; ours makes an error result and events of it, as for every tool: when the server is
gone, when it answers with an error, when it takes too long. A server that died is connected to
again at the next call of one of its tools.

Runs on the session's loop. What is waited for is held (``Session.hold``): in a simulation virtual
time stands still until the server has answered.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from logging import Logger
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TextIO, TypeVar
from urllib.parse import urlsplit

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.services.llm_service import FunctionCallParams

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, ServiceError, ToolError
from piopiy_lab.logs import safe_logger, warn_of_clear_address
from piopiy_lab.redaction import redact_text
from piopiy_lab.tools import mcp_stderr, seams
from piopiy_lab.tools.box import Tool
from piopiy_lab.tools.mcp_answers import content, detail, is_lost
from piopiy_lab.tools.mcp_on_tape import on_tape, played_listing, played_tool
from piopiy_lab.tools.schemas import plain
from piopiy_lab.tools.signatures import Signature

if TYPE_CHECKING:
    from piopiy_lab.session.session import Session

T = TypeVar("T")

log: Logger = safe_logger("piopiy_lab.call")

#: Real seconds that a server may take to start and list its tools, and to be closed.
CONNECT_SECS = 10.0
CLOSE_SECS = 5.0
#: Real seconds more for one whose failing is waited for by a timer (of ``mcp``, 2 s for its
#: process's end), which a simulation's held time does not fire.
FAILING_SECS = 3.0
#: How many calls use a client: the last one closes it. Written on the calls' loops.
_users: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

_FORMS = (
    "give an MCPClient(server_params), a list of them, or the schema that 'await client.tools()' "
    "returned"
)


class MCPConnections:
    """The MCP servers of one agent."""

    def __init__(
        self,
        session: Session | None,
        *,
        connect_secs: float = CONNECT_SECS,
        failing_secs: float = FAILING_SECS,
    ) -> None:
        """Connect to nothing yet.

        Args:
            session: The call; None before there is one.
            connect_secs: Seconds that a server has to answer.
            failing_secs: Seconds more in a simulation, in which timers go on at real pace.
        """
        self._session = session
        self._connect_secs, self._failing_secs = connect_secs, failing_secs
        self._hold = nullcontext if session is None else session.settings.hold
        self._virtual = session is not None and session.settings.virtual
        self._clients: list[Any] = []  # the ones to close; written by open() and close()
        self._stderr: dict[Any, TextIO] = {}  # what each server says of itself
        self._closed = False

    async def open(self, given: object) -> list[Tool]:
        """Connect to what ``mcp_tools`` names, and return the tools that are there.

        Raises:
            ArgumentTypeError: It is something else.
            ArgumentError: It is a schema that has no handlers.
            ServiceError: A server could not be reached.
        """
        mcp_stderr.redirect_stderr()
        self._closed = False
        tools: list[Tool] = []
        try:
            for source in _sources(given):
                if isinstance(source, ToolsSchema):
                    self._use_clients_of(source)
                    schemas = source
                elif (listed := played_listing(self._session, source)) is not None:
                    tools += [played_tool(tool) for tool in listed]
                    continue
                else:
                    schemas = await on_tape(self._session, source, self._list(source))
                tools += [self._tool(schema) for schema in schemas.standard_tools]
        except BaseException:
            await self.close()
            raise
        return tools

    async def close(self) -> None:
        """Close the connections that no other call uses. May be called again."""
        clients, self._clients = self._clients, []
        self._closed = True
        try:
            for client in clients:
                left = _users.get(client, 1) - 1
                if left > 0:
                    _users[client] = left
                    continue
                _users.pop(client, None)
                closing = asyncio.create_task(client.close(), name="piopiy_lab.mcp_close")
                await _wait_in_real_time(closing, CLOSE_SECS, self._virtual)
        finally:
            for file in self._stderr.values():
                file.close()
            self._stderr.clear()

    async def _list(self, client: Any) -> ToolsSchema:
        what = describe(client)
        _check_loop(client, what)
        own = not seams.is_opened_by_another(client)  # else somebody else closes it
        if own or client in _users:
            self._use(client)
        return await self._answered(client, client.tools, "Action(mcp_tools=...)")

    async def connect(self, client: Any, connect: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Connect a client that the session's own code opens, as one given to ``Action``.

        Args:
            client: It closes with whoever opened it.
            connect: What opens it.

        Raises:
            ServiceError: Its server could not be reached.
        """
        return await self._answered(client, connect, "MCPClient")

    async def _answered(self, client: Any, ask: Callable[[], Coroutine[Any, Any, T]], by: str) -> T:
        what = describe(client)
        _warn_of_clear_secrets(client)
        with self._hold(f"the tools of {what}"), self._keeping_stderr(client):
            # what the task opens belongs to the hold
            listing = asyncio.create_task(ask(), name="piopiy_lab.mcp_tools")
        try:
            if not await self._connected(listing, f"the tools of {what}"):
                raise ServiceError(
                    f"{by}: {what} did not answer within {self._connect_secs:g} s; is its command "
                    "or URL right, and does it run?"
                )
            return listing.result()
        except ServiceError:
            raise
        except Exception as error:
            raise ServiceError(
                f"{by}: {what} can't be reached: {detail(error)}"
                f"{self._said(client)}; is its command or URL right, and does it run?"
            ) from error
        finally:
            if not listing.done():
                server = seams.session_task_of(client)
                listing.cancel()
                if server is not None:  # pipecat forgets it here, and its process would stay
                    await _wait_in_real_time(server, CLOSE_SECS, self._virtual)

    @contextmanager
    def _keeping_stderr(self, client: object) -> Iterator[None]:
        """Let a server that is started inside the block write its errors into a file."""
        if self._closed:  # a tool call that comes late: nobody would close its file
            yield
            return
        if client not in self._stderr:
            self._stderr[client] = mcp_stderr.new_file()
        token = mcp_stderr.STDERR.set(self._stderr[client])
        try:
            yield
        finally:
            mcp_stderr.STDERR.reset(token)

    def _said(self, client: object) -> str:
        words = mcp_stderr.last_words(self._stderr.get(client))
        return f" (it said: {words})" if words else ""

    def _use_clients_of(self, schemas: ToolsSchema) -> None:
        """Close a schema's clients with the call, as pipecat does."""
        for schema in schemas.standard_tools:
            client = seams.client_of(schema.handler)
            if client is not None and client not in self._clients:
                _check_loop(client, describe(client))
                self._use(client)

    def _use(self, client: object) -> None:
        self._clients.append(client)
        _users[client] = _users.get(client, 0) + 1

    def _tool(self, schema: FunctionSchema) -> Tool:
        handler: Any = schema.handler
        if handler is None:
            raise ArgumentError(
                f"Action(mcp_tools=...): the tool {schema.name!r} has no handler; {_FORMS}"
            )
        client = seams.client_of(handler)
        call = handler if client is None else self._caller(client, schema.name)
        return Tool(plain(schema), Signature(schema.name, call, True, (), False))

    def _caller(self, client: object, name: str) -> Callable[[FunctionCallParams], object]:
        async def call(params: FunctionCallParams) -> Any:
            return await self._call(client, name, dict(params.arguments))

        return call

    async def _connected(self, task: asyncio.Task[object], what: str) -> bool:
        """Wait for a task that connects to a server; return whether it is done in time.

        Virtual time stands still until the server has answered, however busy the machine is. One
        that fails may be waited for by timers, so they go on after that time.
        """
        with self._hold(what):
            if await _done_in_real_time(task, self._connect_secs, self._virtual, timers=False):
                return True
        return self._virtual and await _done_in_real_time(task, self._failing_secs, True)

    async def _session_of(self, client: Any, what: str) -> Any:
        """Return a client's session, and connect again if it has none.

        Raises:
            TimeoutError: The server was started again and says nothing.
        """
        with self._hold(what), self._keeping_stderr(client):
            opening = asyncio.create_task(seams.open_session(client))
        if not seams.is_connected(client) and not await self._connected(opening, what):
            await _wait_in_real_time(opening, 0.0, self._virtual)
            raise TimeoutError(f"it did not answer within {self._connect_secs:g} s")
        return await opening

    async def _call(self, client: Any, name: str, arguments: dict[str, Any]) -> Any:
        """Call a tool, and connect again before if the server was gone.

        Returns:
            Its text, or its structured value where it gave no text.

        Raises:
            ToolError: The server is gone, or says that the tool failed.
        """
        what = brief(client)
        session = None
        try:
            session = await self._session_of(client, f"the answer of {what} to {name}")
            with self._hold(f"the answer of {what} to {name}"):
                answer = await session.call_tool(
                    name, arguments={**arguments, **seams.fixed_arguments(client, name)}
                )
        except Exception as error:
            if session is not None and is_lost(error):
                dropping = asyncio.create_task(seams.drop_session(client, session))
                await _wait_in_real_time(dropping, CLOSE_SECS, self._virtual)
                raise ToolError(f"{what} is gone: {detail(error)}") from error
            raise ToolError(f"{what} did not run {name}: {detail(error)}") from error
        result = content(answer)
        if getattr(answer, "is_error", False):
            raise ToolError(str(result) if result else f"{what} says that {name} failed")
        change = seams.output_filter(client, name)
        return result if change is None else change(result)


def describe(client: object) -> str:
    """Return a server's command or URL in words, without what could be a secret."""
    server = seams.server_of(client)
    if (url := getattr(server, "url", None)) is not None:
        return f"the MCP server at {redact_text(str(url).split('?')[0])}"
    command = " ".join(
        [str(getattr(server, "command", "?")), *map(str, getattr(server, "args", ()))]
    )
    return f"the MCP server {redact_text(command)!r}"


def brief(client: object) -> str:
    """Return a server's name for the language model: its host, or its program."""
    server = seams.server_of(client)
    if (url := getattr(server, "url", None)) is not None:
        return f"the MCP server at {urlsplit(str(url)).hostname}"
    words = [str(getattr(server, "command", "?")), *map(str, getattr(server, "args", None) or ())]
    program = next((word for word in words[1:] if not word.startswith("-")), words[0])
    return f"the MCP server {redact_text(PurePath(program).name)}"


def _sources(given: object) -> list[object]:
    if given is None:
        return []
    sources = list(given) if isinstance(given, list | tuple) else [given]
    for source in sources:
        if isinstance(source, ToolsSchema) or seams.is_client(source):
            continue
        raise ArgumentTypeError(f"Action(mcp_tools={source!r}): {_FORMS}")
    return sources


def _check_loop(client: object, what: str) -> None:
    task = seams.session_task_of(client)
    if task is not None and task.get_loop() is not asyncio.get_running_loop():
        raise ServiceError(
            f"Action(mcp_tools=...): {what} is connected on another event loop: make its client "
            "inside create_session"
        )


def _warn_of_clear_secrets(client: object) -> None:
    server = seams.server_of(client)
    if (url := getattr(server, "url", None)) is None:
        return
    parts = urlsplit(str(url))
    if getattr(server, "headers", None) or parts.query or "@" in parts.netloc:
        warn_of_clear_address(log, str(url), "what an MCP server's headers or address hold")


async def _done_in_real_time(
    task: asyncio.Task[object], secs: float, virtual: bool, timers: bool = True
) -> bool:
    """Wait for a task that waits for a real process; return whether it is done in time.

    Args:
        task: It may have timers of its own: virtual time would jump over what they give a process.
        secs: Real seconds.
        virtual: Whether the loop is a simulation's.
        timers: Whether the loop's timers go on meanwhile, at the pace of real time. They don't
            where time is held.
    """
    if not virtual:
        await asyncio.wait({task}, timeout=secs)
        return task.done()
    for _ in range(round(secs / 0.02)):
        await asyncio.to_thread(time.sleep, 0.02)
        if timers:
            await asyncio.wait({task}, timeout=0.02)
        if task.done():
            break
    return task.done()


async def _wait_in_real_time(task: asyncio.Task[object], secs: float, virtual: bool) -> None:
    """Wait for the end of a task, whatever it is, and give up after a while."""
    if not await _done_in_real_time(task, secs, virtual):
        task.cancel()
        await _done_in_real_time(task, 1.0, virtual)
    if task.done() and not task.cancelled():
        task.exception()  # it is gone, which is what was wanted
