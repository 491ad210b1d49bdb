"""``Call``: what a user holds of a conversation, while it runs and afterwards.

A Call is a view over the event log and the recording, and hands commands to whoever runs the
call through a :class:`CommandPort`. It knows no pipecat, so a saved call loads without it; and
it owns no clock and no thread, so the same class serves a microphone, a simulation and a folder
on disk.

Everything here is safe to use from any thread unless its docstring says otherwise.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from piopiy_lab.call.acting import ActingCall
from piopiy_lab.call.command_port import CommandPort as CommandPort
from piopiy_lab.call.doors import behind
from piopiy_lab.call.foreign import FromElsewhere
from piopiy_lab.call.packed import PackedCall, PackedSound, log_of, meta_of, pack
from piopiy_lab.call.replay import Replay
from piopiy_lab.call.story import story_of
from piopiy_lab.display.user_traceback import shortened
from piopiy_lab.errors import CallError, SavedCallError
from piopiy_lab.redaction import shown

if TYPE_CHECKING:
    from piopiy_lab.call.robustness import Robustness
    from piopiy_lab.screenplay.caller import Caller

#: How long Ctrl-C in join() waits for the call to end before it is raised again, in seconds.
HANG_UP_WAIT_SECS = 5.0


class Call(FromElsewhere, ActingCall):
    """A conversation between a caller and an agent.

    Made by ``start_call()``, ``simulate()``, :meth:`load` and ``from_...``; not by hand.
    """

    @property
    def error(self) -> BaseException | None:
        """What ended the call badly; a :class:`CallError` with its text in a loaded call."""
        live = None if self._port is None else self._port.error
        if live is not None:
            return live
        if self._ended_event is not None and self._ended_event.error:
            return CallError(self._ended_event.error)
        return None

    def raise_for_error(self) -> Call:
        """Raise :attr:`error` if there is one; return the call otherwise.

        Its traceback is the user's part of it: this package's frames are taken out.
        """
        __tracebackhide__ = True  # the user's own lines are what counts; IPython hides this one
        error = self.error
        if error is not None:
            raise shortened(error)
        return self

    # --- waiting ----------------------------------------------------------------------------

    async def wait(self) -> Call:
        """Wait until the call has ended; from any event loop, by any number of waiters.

        Cancelling the waiter leaves the call alone.
        """
        await self._over.wait()
        return self

    def join(self, timeout: float | None = None) -> Call:
        """Block until the call has ended, for scripts; in a notebook use ``await call.wait()``.

        Ctrl-C hangs up, waits up to 5 s for the end, and is raised again.

        Args:
            timeout: Seconds of the wall clock; None waits for as long as it takes.

        Raises:
            TimeoutError: The call was not over in time. It goes on.
            CallError: Called on the thread of the session's loop, where it would wait for ever.
        """
        loop_thread = None if self._port is None else self._port.loop_thread_ident
        if loop_thread == threading.get_ident() and not self._over:
            raise CallError(
                "join() on the thread that runs the call would wait for ever; "
                "use 'await call.wait()' there"
            )
        try:
            done = self._over.block(timeout)
        except KeyboardInterrupt:
            self.hang_up()
            self._over.block(HANG_UP_WAIT_SECS)
            raise
        if not done:
            raise TimeoutError(f"call {self.call_id} was not over after {timeout} s; it goes on")
        return self

    # --- running it again -------------------------------------------------------------------

    async def replay(
        self,
        create_session: Any,
        *,
        from_turn: int | None = None,
        then: Caller | None = None,
        on_divergence: Literal["recorded", "stop"] | Caller = "recorded",
        tools: Literal["recorded", "run"] = "recorded",
        cassette: str | Path | None = None,
        record_mode: Literal["once", "none", "new_episodes", "all"] | None = None,
        replace: Mapping[str, object] | None = None,
        latency: Mapping[str, Any] | None = None,
        limits: Any = None,
        record: bool | str | Path = True,
    ) -> Replay[Call]:
        """Run this call again, on the agent as it is now; in virtual time, in seconds.

        The caller says what they said, as sound, at its place beside what the agent does now; see
        :meth:`Caller.from_call`. With nothing changed it is the same call. From a script:
        ``asyncio.run(call.replay(create_session))``.

        Args:
            create_session: The agent: a session callback, or a bot, as for ``simulate``.
            from_turn: The first of the caller's turns, from 1, that is no longer as recorded. Turns
                are numbered as in the panel and in a replay: what is said between two answers.
            then: Who is the caller from there on.
            on_divergence: What the caller does once tools, floor or end differ: "recorded" goes
                on with the next recorded turn as soon as the agent has the floor no more, "stop"
                hangs up, and a ``Caller`` takes over: at once when another tool is called, else
                before the caller's next turn.
            tools: "recorded": each tool returns what it returned in this call, and none is run; a
                call of a tool that isn't in it is refused, and a divergence. "run" runs them.
            cassette: The folder with what this call's services answered, as for ``simulate``.
            record_mode: What is done with it; "none" if None: it is played. With "new_episodes" a
                changed prompt is asked, and its answers are compared as they stream.
            replace: Services to put in place of the agent's, as for ``simulate``.
            latency: What the services take, as for ``simulate``. None: what was modelled in this
                call, and of a live call what each verdict of its end-of-turn model took.
            limits: How far the simulation may go.
            record: As for ``simulate``.

        Returns:
            Both calls, side by side: ``.call``, ``.original``, ``.divergence``.

        Raises:
            ReplayError: This call never began, or hasn't kept what its agent heard.
            ArgumentError: There is no such turn, or an option can't be used.
            SimulationError: Virtual time can't go on.
        """
        return await behind("replay")(
            self,
            create_session,
            from_turn=from_turn,
            then=then,
            on_divergence=on_divergence,
            tools=tools,
            cassette=cassette,
            record_mode=record_mode,
            replace=replace,
            latency=latency,
            limits=limits,
            record=record,
        )

    def robustness(self, n: int = 30, *, seed: int = 1, turn_model: object = None) -> Robustness:
        """Find out how sure the verdicts on the caller's pauses are.

        Detector and turn model alone hear the caller ``n`` times more, up to 80 ms later and up to
        3 dB louder or quieter, and three times brought to another sample rate and back: for each
        pause the share of runs in which the turn would have ended there, with its interval. It is
        kept with the call: ``call.turns``, ``print(call)`` and the picture show it from then on.
        About 0.5 s of CPU for a run over half a minute.

        Args:
            n: Runs, 1 to 1000. 30 give a share to 0.17, 100 to 0.10.
            seed: Of what is changed: the same seed gives the same.
            turn_model: The call's turn model, where it had another than Smart Turn: as for
                :func:`turn_sweep`.

        Returns:
            The pauses, which show themselves as a table.

        Raises:
            CallError: The call runs, has no sound, or its turns were ended by something else, by
                another turn model say.
            ArgumentError: ``n`` or ``seed`` is out of range, or the turn model failed.
            SavedCallError: The call's folder can't be written; the call has it all the same.
        """
        return behind("robustness")(self, n, seed=seed, turn_model=turn_model)

    def to_code(self) -> str:
        """Return this call's caller as a screenplay to edit: Python text that makes ``caller``.

        What was said is said again, behind what it followed: ``hears_greeting()``,
        ``hears_reply()``, ``interrupts(..., after=1.2)``, ``waits()`` for long gaps. A screenplay
        that was simulated comes back as it was written. Where nobody knows the words the sound is
        played, from the folder of the saved call. Without secrets.
        """
        from piopiy_lab.screenplay.code import code_of

        return code_of(self.events, self.call_id, self.folder)

    def save_test(
        self,
        folder: str | PathLike[str],
        *,
        session: Any = None,
        name: str | None = None,
        scrub: Any = None,
        sound: bool = False,
        overwrite: bool = False,
    ) -> Path:
        """Write a test of this call: pytest runs it at once, and runs none of the agent's tools.

        It is ``test_NAME.py`` with the caller as a screenplay (:meth:`to_code`), the golden
        conversation ``golden/test_NAME/test_NAME.txt``, and ``calls/NAME/`` with what the tools
        returned; with ``sound`` the caller is not a screenplay but the recorded one
        (:meth:`Caller.from_call`). The LLM's context is not kept.

        Args:
            folder: Where the tests are.
            session: What the test calls: ``"my_agent:create_session"``, or the function. None: the
                one that this call ran.
            name: The test's name; made of the call's id if None.
            scrub: Names and numbers to leave out of all texts: a list of texts and compiled
                patterns ("someone" stands for a word, 0 for a digit), or a dict of texts with what
                is to stand for each. Keys and tokens are left out in any case.
            sound: Keep the caller's own sound, exactly, and the cassette that stands in the call's
                folder. What ``scrub`` names is babble then; with ``scrub`` no cassette is kept.
            overwrite: Replace a test of that name.

        Returns:
            The test's file.

        Raises:
            ArgumentError: Nobody knows the session, or an argument can't be used; the call runs.
            SavedCallError: There is such a test, or the folder can't be written.
            ReplayError: With ``sound``: the call hasn't kept what its agent heard.
        """
        return behind("save_test")(
            self, folder, session=session, name=name, scrub=scrub, sound=sound, overwrite=overwrite
        )

    # --- showing and keeping it -------------------------------------------------------------

    def panel(self) -> Any:
        """Return the live panel, which shows itself as a cell's last value.

        On a running call it lets you act; on an ended or loaded one it plays the recording.

        Raises:
            CallError: This is no notebook.
        """
        return behind("panel")(self)

    def save(self, path: str | PathLike[str], overwrite: bool = False) -> Path:
        """Save the call as a folder.

        It has ``events.jsonl``, ``call.wav``, ``caller.flac`` and ``meta.json``. A running call is
        saved as it stands.

        Raises:
            SavedCallError: The folder exists and isn't empty, or can't be written.
        """
        from piopiy_lab.call.saved import save

        return save(self, path, overwrite)

    def save_html(self, path: str | PathLike[str], overwrite: bool = False) -> Path:
        """Save the call as one HTML file that plays in any browser, for whoever has no notebook.

        It holds the picture, the conversation with words to click, tools, latencies, settings and
        the sound (MP3), needs nothing from outside, and has no secrets in it. A minute is about
        0.4 MB and a second or two of work; of more than two hours the player holds the first two.

        Args:
            path: The file.
            overwrite: Replace a file that is there.

        Returns:
            The file's whole path.

        Raises:
            SavedCallError: The file is there already, or can't be written.
        """
        from piopiy_lab.display.document import document_of

        target = Path(path).expanduser().resolve()
        try:
            if target.exists() and not overwrite:
                raise SavedCallError(
                    f"{target} is there already; give another name, or overwrite=True"
                )
            text = document_of(self)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        except SavedCallError:
            raise
        except OSError as error:
            raise SavedCallError(
                f"{target} can't be written: {error.strerror or error}; give another place"
            ) from error
        return target

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Call:
        """Load a saved call; one whose process was killed loads up to there.

        Args:
            path: The folder that :meth:`save` returned, or the file of one of many calls
                (``Calls.save``).

        Raises:
            SavedCallError: It is no saved call, or can't be read.
        """
        from piopiy_lab.call.packed_file import SUFFIX, read_packed
        from piopiy_lab.call.saved import load

        file = Path(path).expanduser()
        if file.suffix == SUFFIX and file.is_file():
            return unpack(read_packed(file))
        log, audio, meta = load(path)
        folder = Path(path).expanduser().resolve()
        call = cls(log, audio, None, {"call_id": folder.name, **meta})
        call._path = folder
        return call

    def __reduce__(self) -> tuple[Callable[[PackedCall], Call], tuple[PackedCall]]:
        """Travel between processes: events and sound, exactly; of a running call what is there."""
        return unpack, (pack(self),)

    def __repr__(self) -> str:
        turns = f"{len(self.turns)} turn{'' if len(self.turns) == 1 else 's'}"
        state = self.state
        if self.end_reason is not None:
            state = f"ended ({self.end_reason})"
        elif state == "ended":
            state = "broken off"
        return f"<Call {shown(self.call_id)}: {state}, {self.duration:.1f} s, {turns}>"

    def __str__(self) -> str:
        return story_of(self, self.error)

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, object]:
        from piopiy_lab.display import call_mimebundle

        return call_mimebundle(self)

    # --- inside -----------------------------------------------------------------------------

    def _display_(self) -> object:
        """Show itself in marimo, which asks for this."""
        return behind("_display_")(self)


def unpack(packed: PackedCall) -> Call:
    """Return the call that :func:`~piopiy_lab.call.packed.pack` made bytes of."""
    return Call(log_of(packed), PackedSound(packed), None, meta_of(packed))
