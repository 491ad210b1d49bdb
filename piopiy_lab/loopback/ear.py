"""What the caller hears: the agent's decoded audio, and the words that belong to it.

Runs on the platform's loop.
"""

from __future__ import annotations

from piopiy_lab import events
from piopiy_lab.events.log import EventLog
from piopiy_lab.loopback.audio import ROOM_RATE
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.transports.playout import Playout

#: Seconds of silence after which the agent has stopped speaking, for the log.
STOPPED_SECS = 0.3
#: Seconds of audio that may wait to be heard; a burst after a stall is cut to it.
LONGEST_WAIT_SECS = 0.5
#: Seconds that a word waits for its sound; one whose sound never comes was not heard.
WORD_SECS = 1.5


class Ear:
    """Turns audio that arrives into what is heard, and when."""

    def __init__(self, log: EventLog, recorder: Recorder) -> None:
        """Listen for one call.

        Args:
            log: Where speech and words are written; its clock is the call's.
            recorder: Where the audio goes, on the agent's side.
        """
        self.heard: Playout = Playout(ROOM_RATE)
        self.dropped_secs: float = 0.0  # audio that came too late to be heard
        self._log = log
        self._recorder = recorder
        self._speaking = False
        self._words: list[events.WordSpoken] = []  # said, and not heard yet

    def hear(self, samples: Int16) -> None:
        """Take audio that has just arrived: int16, (n,), at :data:`ROOM_RATE`."""
        now, heard = self._log.now(), self.heard
        if heard.ends_at - now > LONGEST_WAIT_SECS:
            self.dropped_secs += len(samples) / ROOM_RATE
            return
        starts = len(heard.speech_starts)
        start = heard.write(now, samples)
        self._recorder.write_agent(start, samples, ROOM_RATE)
        if len(heard.speech_starts) > starts and not self._speaking:
            self._speaking = True
            self._log.append(events.AgentSpeechStarted(at=start))
        heard.take_played(now)
        self.tick()

    def say(self, word: events.WordSpoken) -> None:
        """Take a word that the agent's side says now; it counts when its sound is heard."""
        self._words.append(events.WordSpoken(at=self._log.now(), text=word.text, timed=word.timed))
        self.tick()

    def tick(self) -> None:
        """Look at the clock: has a word been heard, or speech ended? Called often."""
        now, until = self._log.now(), self.heard.audible_until
        waiting: list[events.WordSpoken] = []
        for word in self._words:
            if until >= word.at and self.heard.speech_starts:
                at = max(word.at, self.heard.speech_starts[-1])
                self._log.append(events.WordSpoken(at=at, text=word.text, timed=word.timed))
            elif now - word.at < WORD_SECS:
                waiting.append(word)
        self._words = waiting
        if self._speaking and now > until + STOPPED_SECS:
            self._speaking = False
            self._log.append(events.AgentSpeechStopped(at=until, cause="finished"))

    def close(self) -> None:
        """Write the end of a speech that the end of the call cut off."""
        if self._speaking:
            self._speaking = False
            at = min(self.heard.audible_until, self._log.now())
            self._log.append(events.AgentSpeechStopped(at=at, cause="finished"))
