"""Plays a voice: what it spoke, text by text, and the live voice behind it where it is asked.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import dataclass, field
from typing import Any

from pipecat.frames import frames as f

from piopiy_lab.cassette import seams
from piopiy_lab.cassette.playing import Player, Playing
from piopiy_lab.cassette.recording import Recording, voice_of
from piopiy_lab.cassette.tape import WORDS, Answer, Came
from piopiy_lab.cassette.values import Unpacking
from piopiy_lab.checks.json_values import Record
from piopiy_lab.services.seams import leave_words_together
from piopiy_lab.services.spread_words import gives_no_times


@dataclass
class Speaking:
    """What is spoken in one audio context.

    Attributes:
        answer: What is played.
        offset: Seconds that were spoken in the context before it: its words are as much later.
        began: The pipeline's seconds of each text so far.
        done: How much of what came beside ``run_tts`` is done.
        more: Set when there is another text.
        moved: Set when more of it is done.
        flushed: Set when no other text comes.
        task: What plays what came beside ``run_tts``; None where nothing did.
    """

    answer: Answer
    offset: float = 0.0
    began: list[float] = field(default_factory=list[float])
    done: int = 0
    more: asyncio.Event = field(default_factory=asyncio.Event)
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    flushed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    @property
    def next_text(self) -> str | None:
        """The text that is spoken next in it; None after the last."""
        return next(iter(self.answer.texts[len(self.began) :]), None)

    @property
    def beside(self) -> list[Came]:
        """What came of it beside ``run_tts``."""
        return [came for came in self.answer.came if not came.inside]

    @property
    def due(self) -> int:
        """How much of that is the sound of the texts so far, and no end of the context."""
        found = [n for n, came in enumerate(self.beside, 1) if self._is_sound(came)]
        return max(found, default=0)

    @property
    def secs(self) -> float:
        """Seconds of sound of the texts so far."""
        return sum(_secs_of(came) for came in self.answer.came if self._is_sound(came))

    def _is_sound(self, came: Came) -> bool:
        return came.text < len(self.began) and not closes(came)


class PlayingTTS(Playing):
    """A voice."""

    def __init__(
        self, player: Player, part: str, service: Any, *, recording: Recording | None = None
    ) -> None:
        """Play it."""
        super().__init__(player, "tts", part, service, recording=recording)
        self._speaking: dict[str, Speaking] = {}  # by audio context
        self._live_contexts: dict[str, float] = {}  # where the service speaks, after which seconds
        self._over = service.on_audio_context_interrupted
        if gives_no_times(service) and not player.has_words(part):
            # recorded before words were spread: it said whole sentences then, and so did the log
            leave_words_together(service)
        if recording is not None:
            recording.gate = self._gate
            self._over = seams.base_method(service, "tts", "on_audio_context_interrupted")
            self._flush = service.flush_audio
            seams.replace_methods(service, flush_audio=self._flush_audio)
        seams.replace_methods(
            service, run_tts=self._run_tts, on_audio_context_interrupted=self._interrupted
        )

    def _gate(self, does: str, args: tuple[Any, ...], named: Record) -> Awaitable[None] | None:
        """Let the live voice's words come after what the cassette has spoken before them."""
        contexts = [one for one in (*args[1:2], *named.values()) if isinstance(one, str)]
        offset = next((self._live_contexts.get(one, 0.0) for one in contexts), 0.0)
        if does != WORDS or not offset or self.recording is None:
            return None
        return self.recording.let(does, args, named, (_later(args[0], offset), *args[1:]))

    async def _run_tts(self, text: str, context_id: str) -> AsyncGenerator[f.Frame | None, None]:
        speaking = self._speaking.get(context_id)
        if speaking is None or speaking.next_text != text:
            answer = None
            if context_id not in self._live_contexts:
                answer = self.player.find_tts(self.part, text, voice_of(self.service))
            offset = 0.0
            if speaking is not None and (answer is not None or self.asked_live):
                offset = await self._leave(speaking)
            if answer is None:
                if self.asked_live:
                    self._live_contexts.setdefault(context_id, offset)
                    async for frame in self.live["run_tts"](text, context_id):
                        yield frame
                return
            speaking = self._speaking[context_id] = Speaking(answer, offset)
        number = len(speaking.began)
        speaking.began.append(self.now())
        speaking.more.set()
        if speaking.task is None and speaking.beside:
            task = speaking.task = self.service.create_task(self._beside(speaking, context_id))
            task.add_done_callback(lambda _: speaking.moved.set())
        for came in speaking.answer.came:
            if came.text != number or not came.inside:
                continue
            due = speaking.began[number] + came.at
            if came.does == "yield":
                await self.wait(due)
                yield Unpacking(self.player.sound, context_id=context_id).unpack(came.args[0])
            else:
                await self._say(speaking, came, due, context_id)

    async def _beside(self, speaking: Speaking, context_id: str) -> None:
        for came in speaking.beside:
            while len(speaking.began) <= came.text:
                speaking.more.clear()
                await speaking.more.wait()
            if self.asked_live and closes(came):
                await speaking.flushed.wait()  # the live voice may have more to say in it
            await self._say(speaking, came, speaking.began[came.text] + came.at, context_id)
            speaking.done += 1
            speaking.moved.set()

    async def _say(self, speaking: Speaking, came: Came, due: float, context_id: str) -> None:
        if came.does == WORDS and speaking.offset:
            later = [_later(came.args[0], speaking.offset), *came.args[1:]]
            came = Came(came.at, came.does, later, came.named)
        await self.do(came, due, context_id=context_id)

    async def _leave(self, speaking: Speaking) -> float:
        """Wait until what is played in a context is whole; another text follows it there.

        Returns:
            The seconds that were spoken in the context by then.
        """
        if speaking.task is not None:
            while speaking.done < speaking.due and not speaking.task.done():
                speaking.moved.clear()
                await speaking.moved.wait()
            await self.service.cancel_task(speaking.task)
            speaking.task = None
        return speaking.offset + speaking.secs

    async def _flush_audio(self, context_id: str | None = None) -> None:
        if context_id is None or context_id in self._live_contexts:
            await self._flush(context_id)
        for known, speaking in self._speaking.items():
            if context_id in (None, known):
                speaking.flushed.set()

    async def _interrupted(self, context_id: str) -> None:
        speaking = self._speaking.get(context_id)
        if speaking is not None and speaking.task is not None:
            await self.service.cancel_task(speaking.task)
        if context_id in self._live_contexts:
            await self.live["on_audio_context_interrupted"](context_id)
        else:
            await self._over(context_id)


def closes(came: Came) -> bool:
    """Whether it ends an audio context."""
    framed = (one.get("frame") for one in came.args if isinstance(one, dict))
    return came.does == "remove_audio_context" or "TTSStoppedFrame" in framed


def _secs_of(came: Came) -> float:
    """Return the seconds of the sound in something that came."""
    sounds = [one for one in came.args if isinstance(one, dict) and "sound" in one]
    return sum(
        one["sound"][1] / 2 / one["sample_rate"] / one.get("num_channels", 1) for one in sounds
    )


def _later(words: Any, secs: float) -> list[tuple[str, float]]:
    return [(word, at + secs) for word, at in words]
