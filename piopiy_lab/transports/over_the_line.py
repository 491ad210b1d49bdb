"""A call's phone line, as its transport uses it: both ways, and the sound still on its way.

Runs on the session's loop.
"""

from __future__ import annotations

import numpy as np

from piopiy_lab.line.anew import CallersWay
from piopiy_lab.line.echoing import Played
from piopiy_lab.line.line import Line
from piopiy_lab.line.way import Way, samples_of
from piopiy_lab.session.session import Session
from piopiy_lab.sound.anew import Anew
from piopiy_lab.sound.pcm import Int16


class OverTheLine:
    """A line between the caller and the agent of one call; without one, sound stays as it is."""

    def __init__(self, line: Line | None, *, caller_only: bool = False) -> None:
        """Begin with silence.

        Args:
            line: The line; None for none.
            caller_only: There is no place where the agent's sound could go over it.
        """
        if line is not None and caller_only:
            line = line.only("caller")
        self._line = line
        # made with the first sound: then the rates are known
        self._caller: CallersWay | None = None
        self._anew: tuple[int, Anew] | None = None  # for before there is one
        self._agent: Way | None = None
        self._played = Played()
        self._under_way = False  # whether something that the agent said was not heard yet
        self._let_out = False  # whether what was under way was asked for, with silence behind it
        self._too_much = 0  # samples of that silence that what follows need not wait for

    def tell(self, session: Session, caller_late: float) -> None:
        """Write into the log what somebody should know of the line; without one nothing.

        Args:
            session: The call.
            caller_late: Seconds by which the caller is heard late: by this line, and by one that a
                recorded caller was heard over.
        """
        if self._line is None:
            return
        session.notice(
            f"this call is over a line: what the caller says is heard {caller_late * 1000:.0f} ms "
            f"later, and what the agent says {self.agent_delay * 1000:.0f} ms"
        )
        if caller_late > self.caller_delay > 0:
            session.notice(
                "the caller goes over a second line: what was recorded had come over one already. "
                'Give line=Line(..., sides="agent"), as call.replay() does'
            )
        for notice in self._line.notices():
            session.notice(notice)

    @property
    def carries_agent(self) -> bool:
        """Whether what the agent says goes over a line."""
        return self._line is not None and self._line.carries("agent")

    @property
    def begins_anew(self) -> bool:
        """Whether under each utterance of the caller's something begins anew."""
        return self._line is not None and self._line.carries("caller") and self._line.varies

    @property
    def caller_delay(self) -> float:
        """Seconds from when the caller says something to when the agent's side hears it."""
        return 0.0 if self._line is None else self._line.delay_of("caller")

    @property
    def agent_delay(self) -> float:
        """Seconds from when the agent says something to when the caller hears it."""
        return 0.0 if self._line is None else self._line.delay_of("agent")

    def hear_caller(self, start: float, samples: Int16, rate: int) -> Int16:
        """Return what the agent's side hears while the caller says ``samples``.

        Args:
            start: The call's seconds of the first sample.
            samples: int16, (n,).
            rate: Theirs, in Hz.
        """
        line = self._line
        if line is None or not line.carries("caller"):
            return samples
        if self._caller is None:
            self._caller = CallersWay(line, rate)
            if self._anew is not None:
                self._caller.begin_anew(*self._anew)
        return self._caller.process(samples, start, self._played)

    def begin_anew(self, after: int, anew: Anew) -> None:
        """Begin anew under an utterance, if there is something that would.

        Args:
            after: Samples from the next one of the caller's.
            anew: For which utterance.
        """
        if self.begins_anew and self._caller is not None:
            self._caller.begin_anew(after, anew)
        elif self.begins_anew:
            self._anew = (after, anew)

    def end_utterance(self, after: int) -> None:
        """Note that the caller's utterance ends so many samples from the next one."""
        if self.begins_anew and self._caller is not None:
            self._caller.end_utterance(after)

    def hear_agent(self, samples: Int16, rate: int, queued: float = 0.0) -> Int16:
        """Return what the caller hears while the agent says ``samples``.

        Args:
            samples: int16, (n,).
            rate: Theirs, in Hz.
            queued: Seconds of what is still to be heard of before.

        Returns:
            int16, (n,); fewer where it follows soon on what was taken for the last, so that it is
            heard no later than the line's delay.
        """
        if self._line is None or not self.carries_agent:
            return samples
        if self._agent is None:
            self._agent = Way(self._line, rate, "agent")
        if self._let_out:
            self._too_much = samples_of(min(max(0.0, queued), self._agent.delay), rate)
        self._under_way, self._let_out = True, False
        heard = self._agent.process(samples)
        dropped = min(self._too_much, len(heard))
        self._too_much -= dropped
        return heard[dropped:]

    def last_of_agent(self) -> Int16 | None:
        """Return what is still on its way to the caller; None if nothing is."""
        if self._agent is None or not self._under_way:
            return None
        self._under_way, self._let_out = False, True
        count = samples_of(self._agent.delay, self._agent.sample_rate)
        return self._agent.process(np.zeros(count, np.int16))

    def played(self, start: float, samples: Int16, rate: int) -> None:
        """Note what the caller hears of the agent, for its echo."""
        if self._line is not None and self._line.echo_db is not None:
            self._played.add(start, samples, rate)

    def hold(self, at: float) -> None:
        """Note that what the caller was to hear from the call's second ``at`` on is held."""
        self._played.cut(at)

    def cut(self, at: float) -> None:
        """Note that the caller hears nothing more from the call's second ``at`` on."""
        if self._under_way and self._agent is not None:
            self._agent = self._agent.anew()  # a device fell silent at once
        self._under_way, self._let_out, self._too_much = False, False, 0
        self._played.cut(at)
