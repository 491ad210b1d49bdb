"""What a session callback runs in: the context of one call.

Whoever runs the session (``start_call``, ``simulate``, ``Agent``) makes a :class:`Session`, puts
it into a copied context, and starts the callback there. ``VoiceAgent.start()`` finds it and asks
it for a transport. That is why the same ``create_session`` runs everywhere.

A plain thread (an audio callback) sees no context: never read it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from piopiy_lab import events
from piopiy_lab.checks.json_values import Record
from piopiy_lab.checks.texts import described
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import EndReason, Origin
from piopiy_lab.line.line import Line
from piopiy_lab.line.perturb import Perturb
from piopiy_lab.screenplay.spoken_words import Script
from piopiy_lab.session.call_control import CallControl
from piopiy_lab.session.replaced import Replaced
from piopiy_lab.session.running_agent import RunningAgent
from piopiy_lab.session.transferring import Transfers
from piopiy_lab.session.transport import CallTransport, TransportSettings
from piopiy_lab.sound.recorder import Recorder

#: The room's LiveKit URL, its token and its name, set per running session on the phone, as the
#: API reference says; None elsewhere.
URL_CTX: ContextVar[str | None] = ContextVar("URL_CTX", default=None)
TOKEN_CTX: ContextVar[str | None] = ContextVar("TOKEN_CTX", default=None)
ROOM_CTX: ContextVar[str | None] = ContextVar("ROOM_CTX", default=None)

_current: ContextVar[Session | None] = ContextVar("piopiy_lab_session", default=None)


#: Seconds that a session callback gets for what it does after its call (a summary, an entry in a
#: CRM): a request to a language model takes its time, and nobody waits for the call's end any more.
AFTER_CALL_SECS = 30.0

#: Makes the transport of a call; called when a VoiceAgent starts: only then the rates are known.
OpenTransport = Callable[["Session", TransportSettings], CallTransport]


class TapesListings(Protocol):
    """What MCP servers list, as a cassette has it."""

    @property
    def played(self) -> bool:
        """Whether no MCP server is to be opened."""
        ...

    def reach(self, client: object) -> None:
        """Take note that a server is about to be opened."""
        ...

    def ask(self, client: object) -> tuple[int, int]:
        """Return the place of what a server is about to list."""
        ...

    def find(self, client: object) -> list[Record] | None:
        """Return the tools that a server listed; None if it is to be asked."""
        ...

    def note(self, place: tuple[int, int], tools: list[Record]) -> None:
        """Keep the tools that a server has listed."""
        ...

    def fail(self, place: tuple[int, int], error: BaseException, *, opening: bool = False) -> None:
        """Take note that a server listed nothing."""
        ...


class TapesServices(Protocol):
    """A cassette, as a call's pipeline sees it."""

    def attach(self, session: Session, kind: str, name: str | None, service: object) -> None:
        """Record or play a service of the call, which does not run yet."""
        ...

    @property
    def listings(self) -> TapesListings:
        """What the call's MCP servers list."""
        ...


#: Finds the step that a caller left undone, in the log of a call that ended for a reason.
FindUndone = Callable[[Sequence[events.Event], EndReason], events.CallerStepFailed | None]


@dataclass(frozen=True, kw_only=True)
class SessionSettings:
    """What whoever makes a call decides about its session, once.

    Attributes:
        origin: What the call is on: "microphone", "browser", "file", "caller", "room", "custom".
        open_transport: Makes its transport.
        replace: Services to put in place of "stt", "llm" and "tts" at ``Action(...)``; its
            ``tools`` is what is called in the place of the agent's tools.
        virtual: Whether the call runs on virtual time.
        silence_secs: The longest frame of a scripted caller's silence, in seconds.
        latency: Modelled latencies of the services, by part; see ``modelled_latency``.
        hold: Says that something outside is waited for, ``with hold("the server")``: virtual time
            stands still meanwhile.
        control: The platform's actions on this call; None off the phone.
        transfer_outcomes: What becomes of transfers off the phone, by target.
        variables: Context variables to set for the callback.
        needs_agent: Whether a callback that starts no VoiceAgent is a mistake.
        after_call_secs: Seconds for what the callback does after its call.
        rtvi: Whether the other end is an RTVI client, which a VoiceAgent then tells what happens.
        written: Whether it reads and hears nothing: a VoiceAgent greets it in writing.
        cassette: What records or plays the call's services; None where they are asked.
        line: The phone line between caller and agent; None for none.
        perturb: What is changed of a scripted caller's sounds; None for nothing.
        undone: Called with the log and the reason as a call ends without an error: the step of
            the caller's that it left undone, if there is one.
    """

    origin: Origin
    open_transport: OpenTransport
    replace: Replaced = field(default_factory=Replaced)
    virtual: bool = False
    silence_secs: float = 0.02
    latency: Mapping[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    hold: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()
    control: CallControl | None = None
    transfer_outcomes: Mapping[str, str] = field(default_factory=dict[str, str])
    variables: Mapping[ContextVar[str | None], str | None] = field(
        default_factory=dict[ContextVar[str | None], str | None]
    )
    needs_agent: bool = True
    after_call_secs: float = AFTER_CALL_SECS
    rtvi: bool = False
    written: bool = False
    cassette: TapesServices | None = None
    line: Line | None = None
    perturb: Perturb | None = None
    undone: FindUndone = lambda *_: None

    def __post_init__(self) -> None:
        if not isinstance(self.replace, Replaced):
            object.__setattr__(self, "replace", Replaced(self.replace))

    @property
    def told(self) -> dict[str, object]:
        """What ``meta.json`` has of the phone line, and of what is changed of the caller."""
        told: dict[str, object] = {}
        if self.line is not None:
            told["line"] = self.line.to_json()
        if self.perturb is not None:
            told["perturb"] = self.perturb.seed
        return told


@dataclass
class Session:
    """One call, as the code inside it sees it. Used on the session's loop only.

    Attributes:
        log: Where everything that happens is written.
        recorder: Where both sides' audio goes.
        settings: What whoever made the call has decided.
        agents: The VoiceAgents running now; written by ``VoiceAgent.start()``.
        latest_agent: The last one started, also when it has ended.
        script: A scripted caller's own words; empty on any other call.
        by_hand: What somebody did to it by hand, to be done again in a replay; see ``by_hand``.
        closers: What to close when the call is over and logged; ``VoiceAgent`` adds to it.
        handed_over: Whether the caller is somebody else's by now, and not to be hung up on; written
            by :attr:`transfers`, by a room that can't be joined, and by whoever runs the call.
        transfers: The transfers of this call.
        reason: Why the call ends; written once, by :meth:`end`.
        error: What went wrong, if that is why, or in what the callback did after the call.
        ended_at: The call's seconds at which its end was asked for; written by :meth:`end`.
        frames: How many frames went through its pipelines; counted by their observers.
        muted: Whether the user's side is closed; written by :meth:`mute`, read by transports.
        reported: Whose exceptions of the user's code are in the log, by the line that raised.
    """

    log: EventLog
    recorder: Recorder
    settings: SessionSettings
    agents: list[RunningAgent] = field(default_factory=list)
    latest_agent: RunningAgent | None = None
    closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    handed_over: bool = False
    reason: EndReason | None = None
    error: BaseException | None = None
    ended_at: float | None = None
    script: Script = field(default_factory=Script)
    by_hand: list[Record] = field(default_factory=list[Record])
    frames: int = 0
    muted: bool = False
    reported: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    transfers: Transfers = field(init=False, repr=False)
    _listening: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    #: The loop that the session was made on; None for one that was made outside of any.
    _loop: asyncio.AbstractEventLoop | None = field(default_factory=lambda: _running_loop())

    def __post_init__(self) -> None:
        self.transfers = Transfers(self)

    @property
    def control(self) -> CallControl | None:
        """The platform's actions on this call; None off the phone."""
        return self.settings.control

    def scripted_transfer(self, to: str) -> str | None:
        """Return what becomes of a transfer off the phone; None if nothing was said of it."""
        return self.settings.transfer_outcomes.get(to)

    def on_loop(self) -> bool:
        """Whether this code runs on the session's loop; to be asserted."""
        return self._loop is None or _running_loop() is self._loop

    def now(self) -> float:
        """Return the call's seconds."""
        return self.log.now()

    def end(self, reason: EndReason, error: BaseException | None = None) -> None:
        """Ask the call to end. The first reason stands; only on the session's loop."""
        assert self.on_loop(), "Session.end() was called off the session's loop"
        if self.reason is not None:
            if error is not None and self.error is None and reason == self.reason == "error":
                self.error = error
            return
        self.reason = reason
        self.error = error
        self.ended_at = self.now()
        self._ended.set()

    def fail(self, error: BaseException, source: str = "create_session") -> None:
        """Note that the session's own code raised, be it after its call. The first error stands.

        A call that has ended keeps its reason, and has the error in its log and in ``error``. Only
        on the session's loop.

        Args:
            error: What was raised.
            source: Whose code it is, for the log.
        """
        assert self.on_loop(), "Session.fail() was called off the session's loop"
        if self.reason is None:
            self.end("error", error)
        if error is self.error:
            return
        self.error = self.error or error
        self.log.append(
            events.ErrorOccurred(
                at=self.now(),
                message=f"after the call: {described(error)}",
                source=source,
                remedy="call.raise_for_error() shows where",
            )
        )

    def mute(self, muted: bool) -> None:
        """Close or open the user's side: the transport gives silence in place of what it hears.

        Only on the session's loop.
        """
        assert self.on_loop(), "Session.mute() was called off the session's loop"
        if muted != self.muted:
            self.muted = muted
            self.recorder.hearing.mute(self.now(), muted)
            self.log.append(events.UserMuted(at=self.now(), muted=muted))

    def listening(self) -> None:
        """Say that somebody listens now: a pipeline runs. Only on the session's loop."""
        assert self.on_loop(), "Session.listening() was called off the session's loop"
        if not self._listening.is_set():
            self._listening.set()
            self.log.append(events.CallStateChanged(at=self.now(), old="starting", new="listening"))

    @property
    def is_listening(self) -> bool:
        """Whether somebody listens, or did; any thread."""
        return self._listening.is_set()

    async def wait_until_listening(self) -> None:
        """Wait until the call is answered."""
        await self._listening.wait()

    async def wait_for_end(self) -> None:
        """Wait until somebody has asked the call to end."""
        await self._ended.wait()

    def notice(self, message: str) -> None:
        """Write something worth knowing into the log, once."""
        if not any(event.message == message for event in self.log.of(events.NoticeGiven)):
            self.log.append(events.NoticeGiven(at=self.now(), message=message))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def current_session() -> Session | None:
    """Return the session that this code runs in, None outside of one."""
    return _current.get()


def session_of(context: Context) -> Session | None:
    """Return the session that a context is of, None outside of one. Any thread."""
    return context.get(_current)


def enter(session: Session) -> None:
    """Make ``session`` the current one; call inside a copied context only."""
    _current.set(session)
