"""What a service has been given and has not finished: what another one takes over when it fails.

No clock and no task; used on the session's loop by ``switching``.
"""

from __future__ import annotations

from collections import deque

from pipecat.frames import frames as f

#: Seconds of audio kept from before the caller's speech was detected, and of one utterance.
PRE_ROLL_SECS = 1.0
UTTERANCE_SECS = 60.0


class UnsaidWords:
    """The words that a voice was given and that have not left it.

    Attributes:
        in_reply: Whether a reply is being given to it, and its end has not come.
    """

    def __init__(self) -> None:
        """Nothing has been given."""
        self.in_reply = False
        self._words: deque[str | None] = deque()  # None where a reply ends
        self._word_ended = True  # whether the next token begins a word

    def __bool__(self) -> bool:
        return any(self._words) or self.in_reply

    @property
    def text(self) -> str:
        """The words, as one text."""
        return " ".join(word for word in self._words if word)

    def given(self, frame: f.Frame) -> None:
        """Take a frame on its way to the voice."""
        if isinstance(frame, f.LLMFullResponseStartFrame):
            self.in_reply = True
        elif isinstance(frame, f.LLMFullResponseEndFrame):
            self.in_reply = False
            self._words.append(None)
        elif isinstance(frame, f.TTSSpeakFrame):
            self._words += frame.text.split()
        elif isinstance(frame, f.TextFrame) and not isinstance(frame, f.TranscriptionFrame):
            self._add_token(frame.text)
            return
        self._word_ended = True

    def _add_token(self, text: str) -> None:
        words = text.split()
        continues = bool(words) and not self._word_ended and not text[0].isspace()
        if continues and self._words and self._words[-1] is not None:
            self._words[-1] += words.pop(0)
        self._words += words
        self._word_ended = not text or text[-1].isspace()

    def came(self, frame: f.Frame) -> None:
        """Take a frame that left the voice."""
        if isinstance(frame, f.TTSTextFrame):
            for _ in frame.text.split():
                while self._words and self._words[0] is None:
                    self._words.popleft()
                if self._words:
                    self._words.popleft()
        elif isinstance(frame, f.LLMFullResponseEndFrame) and None in self._words:
            while self._words.popleft() is not None:
                pass

    def forget(self) -> None:
        """An interruption has ended it all."""
        self.in_reply, self._word_ended = False, True
        self._words.clear()


class Utterance:
    """The caller's speech of now, with its beginning: what a recogniser has heard of it.

    Attributes:
        speaking: Whether the detector hears the caller.
        turn: Whether the caller has the turn.
    """

    def __init__(self) -> None:
        """Nobody speaks."""
        self.speaking = self.turn = False
        self._audio: deque[f.InputAudioRawFrame] = deque()
        self._secs = 0.0

    def __bool__(self) -> bool:
        return self.speaking or self.turn

    @property
    def audio(self) -> list[f.InputAudioRawFrame]:
        """The audio so far; the last second of it where nobody speaks."""
        return list(self._audio)

    def heard(self, frame: f.Frame) -> None:
        """Take a frame that passes the recogniser."""
        if isinstance(frame, f.InputAudioRawFrame):
            self._audio.append(frame)
            self._secs += frame.num_frames / frame.sample_rate
            most = UTTERANCE_SECS if self else PRE_ROLL_SECS
            while self._secs > most:
                gone = self._audio.popleft()
                self._secs -= gone.num_frames / gone.sample_rate
        elif isinstance(frame, f.VADUserStartedSpeakingFrame):
            self.speaking = True
        elif isinstance(frame, f.VADUserStoppedSpeakingFrame):
            self.speaking = False
        elif isinstance(frame, f.UserStartedSpeakingFrame):
            self.turn = True
        elif isinstance(frame, f.UserStoppedSpeakingFrame):
            self.turn = False
