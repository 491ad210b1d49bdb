"""What there is to know about one call: a view over its event log and its recording.

:class:`CallRecord` is the part of a :class:`piopiy_lab.call.call.Call` that only looks. What
it tells is derived from the log whenever it is asked, and kept until the log grows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from piopiy_lab import events as ev
from piopiy_lab.call.activity import ActivityReader
from piopiy_lab.call.ending import Ending
from piopiy_lab.call.robustness import KEY, Robustness
from piopiy_lab.call.switchers import Switcher, read_switchers
from piopiy_lab.call.tool_calls import ToolCalls, build_tool_calls
from piopiy_lab.call.transcript import Transcript, build_transcript
from piopiy_lab.call.turns import Turns, build_turns
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import Activity, CallState, EndReason
from piopiy_lab.sound.heard import Heard
from piopiy_lab.sound.recording import Recording, SampleSource, recording_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")


class CallRecord:
    """A call as it can be looked at, running or over. Safe to use from any thread."""

    def __init__(
        self,
        log: EventLog,
        recorder: SampleSource,
        meta: dict[str, Any],
        path: Path | None,
        live: bool,
    ) -> None:
        """Look at a call.

        Args:
            log: Its events.
            recorder: Where its sound is kept.
            meta: What ``meta.json`` holds.
            path: Where it is saved as it happens, or was loaded from.
            live: Whether somebody runs it; otherwise it is over, however its log ends.
        """
        self._log = log
        self._recorder = recorder
        self._path = path
        self.meta = meta  # written by the runner
        self._cache: dict[str, tuple[int, Any]] = {}  # name -> (len(log), value); any thread
        self._state: CallState = "starting"  # written by _on_event: the session's loop
        self._ended_event: ev.CallEnded | None = None  # written once by _on_event
        self._activity = ActivityReader()  # fed by _on_event
        self._over = Ending()  # happens in _on_event, after _ended_event is set
        log.subscribe(self._on_event)
        for event in log.snapshot():
            self._on_event(event)
        if not live:
            self._over.happen()

    # --- what it is -------------------------------------------------------------------------

    @property
    def call_id(self) -> str:
        """The call's id."""
        return str(self.meta.get("call_id", "call"))

    @property
    def agent_id(self) -> str | None:
        """The agent's id, "local" off the phone."""
        return self.meta.get("agent_id")

    @property
    def from_number(self) -> str | None:
        """The caller's number, if there is one."""
        return self.meta.get("from_number")

    @property
    def to_number(self) -> str | None:
        """The number that was called, if there is one."""
        return self.meta.get("to_number")

    @property
    def metadata(self) -> Any:
        """What the call was started with as ``metadata``."""
        return self.meta.get("metadata")

    @property
    def folder(self) -> Path | None:
        """Where the call is saved as it happens, or was loaded from; None otherwise."""
        return self._path

    # --- how it stands ----------------------------------------------------------------------

    @property
    def state(self) -> CallState:
        """One of "starting", "listening" and "ended"."""
        if self._over:
            return "ended"
        return "starting" if self._state == "starting" else "listening"

    @property
    def activity(self) -> Activity:
        """What the agent does now: "hearing", "thinking", "speaking" or "idle".

        "hearing" while the caller speaks or has the turn, and so also when a caller breaks in;
        "thinking" from the end of a turn until the answer is heard, and while a tool runs; "idle"
        before, between and after all that, and when the call has ended.
        """
        return "idle" if self._over else self._activity.now

    @property
    def end_reason(self) -> EndReason | None:
        """Why it ended; None while it runs, and when a saved log breaks off.

        "caller_hung_up", "agent_ended", "hung_up", "idle_timeout", "error", "cancelled",
        "audio_device_lost" or "unresponsive".
        """
        return None if self._ended_event is None else self._ended_event.reason

    @property
    def duration(self) -> float:
        """Seconds from the call's creation to its end, or until now."""
        if self._ended_event is not None:
            return self._ended_event.at
        return self._log.now()

    # --- what happened ----------------------------------------------------------------------

    @property
    def events(self) -> EventLog:
        """The event log itself; iterate over it, or use ``of(kind)`` and ``since(cursor)``."""
        return self._log

    @property
    def transcript(self) -> Transcript:
        """What was heard, entry by entry."""
        return self._derived("transcript", build_transcript)

    @property
    def turns(self) -> Turns:
        """The answered turns, each with its latency in parts, and how sure their pauses were.

        The latter where :meth:`Call.robustness` has found it out.
        """
        turns = self._derived("turns", build_turns)
        known = self.known_robustness
        return turns if known is None else turns.beside(known)

    @property
    def known_robustness(self) -> Robustness | None:
        """How sure the verdicts on the caller's pauses are, if somebody has found it out."""
        return Robustness.from_json(self.meta.get(KEY))

    @property
    def tool_calls(self) -> ToolCalls:
        """The tools that were called, with arguments and results."""
        return ToolCalls(self._derived("tool_calls", build_tool_calls))

    @property
    def switchers(self) -> dict[str, Switcher]:
        """The service switchers by kind, with the service at work in each; {} without any."""
        return read_switchers(self._log)

    @property
    def context(self) -> list[list[dict[str, object]]]:
        """What the LLM was given, turn by turn: the messages as they stood each time.

        Without what was asked ahead and thrown away.
        """
        given: list[ev.ContextSent] = []
        for event in self._log.of(ev.ContextSent, ev.SpeculationSettled):
            match event:
                case ev.ContextSent():
                    given.append(event)
                case ev.SpeculationSettled() if event.outcome != "confirmed":
                    asked = [sent for sent in given if sent.speculative]
                    if asked:
                        given.remove(asked[-1])
                case _:
                    pass
        return [sent.messages for sent in given]

    @property
    def recording(self) -> Recording:
        """The sound so far: int16, shape (n, 2), caller left, agent right, ``.sample_rate`` Hz.

        Empty when the call keeps no audio (``record=False``).

        Raises:
            SavedCallError: A loaded call's ``call.wav`` can't be read.
        """
        ended = bool(self._over)
        cached = self._cache.get("recording")
        if cached is not None:
            return cached[1]
        recording = recording_of(self._recorder.samples(), self._recorder.sample_rate)
        if ended:
            recording.flags.writeable = False
            self._cache["recording"] = (0, recording)
        return recording

    @property
    def heard(self) -> Heard | None:
        """What the pipeline heard of the caller, exactly: ``.samples``, ``.sample_rate``.

        It is what a replay feeds. None when the call keeps no audio (``record=False``), before
        its first frame, and in a call that was saved before this was kept.

        Raises:
            SavedCallError: A loaded call's ``caller.flac`` can't be read.
        """
        if not self._over:
            return self._recorder.heard()
        if "heard" not in self._cache:
            self._cache["heard"] = (0, self._recorder.heard())
        return self._cache["heard"][1]

    @property
    def sample_source(self) -> SampleSource:
        """Where the sound is kept, to be read in pieces; :attr:`recording` is all of it."""
        return self._recorder

    @property
    def sample_rate(self) -> int:
        """The recording's sample rate in Hz."""
        return self._recorder.sample_rate

    def plot(self, **options: Any) -> Figure:
        """Draw the call as a timeline; see :func:`piopiy_lab.plot.plot_call`."""
        from piopiy_lab.plot import plot_call

        return plot_call(self, **options)

    # --- inside -----------------------------------------------------------------------------

    def _derived(self, name: str, build: Callable[[EventLog], T]) -> T:
        """Build a value from the log, once for each length of the log."""
        length = len(self._log)
        cached = self._cache.get(name)
        if cached is None or cached[0] != length:
            cached = self._cache[name] = (length, build(self._log))
        return cached[1]

    def _on_event(self, event: ev.Event) -> None:
        """Follow the log; runs on the appending thread, and once more while we are made."""
        self._activity.add(event)
        match event:
            case ev.CallStateChanged():
                self._state = event.new
            case ev.CallEnded() if self._ended_event is None:
                self._ended_event = event
                self._over.happen()
            case _:
                pass
