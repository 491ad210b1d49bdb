"""How loud both sides are: measures as the audio passes, and says so about ten times a second.

Runs on the session's loop.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from piopiy_lab import events
from piopiy_lab.checks.threads import SameThread
from piopiy_lab.events.log import EventLog
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16

#: Seconds between two level events.
LEVEL_SECS = 0.1


class LevelMeter:
    """Writes ``LevelMeasured``: the user's side as it comes, the agent's as it is heard."""

    def __init__(self, log: EventLog) -> None:
        """Make a meter that has heard nothing.

        Args:
            log: Where its events go.
        """
        self._log = log
        self._here = SameThread()
        self._at = 0.0  # the call's seconds of the last event
        self._power, self._count = 0.0, 0  # the user's, since then: sum of squares, samples
        # The agent's pieces that were not heard yet: start, end, mean square. Few are ever ahead;
        # the limit is for a call in which the user's side brings nothing.
        self._ahead: deque[tuple[float, float, float]] = deque(maxlen=64)

    def agent(self, start: float, end: float, samples: Int16) -> None:
        """Note a piece of the agent's audio that is handed over.

        Args:
            start: The call's second in which its first sample will be heard.
            end: And its last.
            samples: int16, shape (n,).
        """
        assert self._here(), "only on the session's loop"
        values = samples.astype(np.float32)
        self._ahead.append((start, end, float(np.dot(values, values)) / max(1, len(values))))

    def user(self, now: float, samples: Int16, *, agent_heard_until: float) -> None:
        """Take a piece of the user's audio; writes an event when it is time for one.

        Args:
            now: The call's seconds.
            samples: int16, shape (n,).
            agent_heard_until: When the last sample of the agent's will have been heard: what was
                handed over and then dropped is not loud.
        """
        assert self._here(), "only on the session's loop"
        values = samples.astype(np.float32)
        self._power += float(np.dot(values, values))
        self._count += len(samples)
        if now - self._at < LEVEL_SECS:
            return
        self._at = now
        while self._ahead and self._ahead[0][1] < now:
            self._ahead.popleft()
        heard = self._ahead and self._ahead[0][0] <= now < agent_heard_until
        agent = self._ahead[0][2] if heard else 0.0
        user = self._power / max(1, self._count)
        self._power, self._count = 0.0, 0
        self._log.append(
            events.LevelMeasured(at=now, user_dbfs=_dbfs(user), agent_dbfs=_dbfs(agent))
        )


def _dbfs(power: float) -> float:
    """Return a mean square of int16 samples in dBFS, to a tenth."""
    return round(pcm.dbfs(float(np.sqrt(power)) / pcm.FULL_SCALE), 1)
