"""One cassette in one call: opened, its services recorded or played, and closed.

Made on any thread; everything else runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import metadata
from logging import Logger
from pathlib import Path
from typing import Any, get_args

from piopiy_lab._version import __version__
from piopiy_lab.cassette import computed, keys, seams
from piopiy_lab.cassette.listings import KIND, Listings
from piopiy_lab.cassette.llm_playing import PlayingLLM
from piopiy_lab.cassette.misses import Miss
from piopiy_lab.cassette.modes import RecordMode
from piopiy_lab.cassette.playing import PlayingSTT
from piopiy_lab.cassette.realtime_playing import PlayingRealtime
from piopiy_lab.cassette.realtime_recording import RecordingRealtime
from piopiy_lab.cassette.realtime_tape import RealtimeTape
from piopiy_lab.cassette.recording import Recording
from piopiy_lab.cassette.tape import LINES, WORDS, Answer, Reader, Writer
from piopiy_lab.cassette.tts_playing import PlayingTTS
from piopiy_lab.cassette.utterances import Mark
from piopiy_lab.cassette.writing import Deck
from piopiy_lab.checks.json_values import Record
from piopiy_lab.checks.texts import shown
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CassetteError
from piopiy_lab.events.values import ServiceKind
from piopiy_lab.logs import safe_logger
from piopiy_lab.screenplay.spoken_words import Script
from piopiy_lab.services.realtime import is_realtime
from piopiy_lab.session.session import Session

log: Logger = safe_logger("piopiy_lab.cassette")

#: From this likeness on a recorded text is taken for another wording of one that is not there.
ALIKE = 0.6


class Cassette:
    """What the services of one call answered, in a folder.

    Attributes:
        folder: Where it is.
        record_mode: "once", "none", "new_episodes" or "all".
        playing: Whether there is something to play.
        misses: What was asked and is not on it, in order.
        notices: What is worth knowing of what was played, each once.
        listings: What the call's MCP servers list.
        computed: Which of its services computed outside of virtual time.
    """

    def __init__(self, folder: str | Path, record_mode: RecordMode | None = None) -> None:
        """Open a cassette; nothing is written before a service is asked.

        Args:
            folder: Its folder; in the modes that record it may not be there yet.
            record_mode: What is done with it; "once" if None.

        Raises:
            ArgumentError: There is no such mode.
            ArgumentTypeError: ``folder`` is no path.
            CassetteError: There is no cassette to play, or it can't be read.
        """
        if not isinstance(folder, str | Path):
            raise ArgumentTypeError(f"cassette={shown(folder)}: give the path of a folder")
        mode = "once" if record_mode is None else record_mode
        if mode not in get_args(RecordMode):
            raise ArgumentError(
                f"record_mode={mode!r}: the modes are {', '.join(map(repr, get_args(RecordMode)))}"
            )
        self.folder: Path = Path(folder)
        self.record_mode: RecordMode = mode
        self.misses: list[Miss] = []
        self.notices: list[str] = []
        self._session: Session | None = None  # the call that it is in; by attach()
        self._restore: list[Callable[[], None]] = []
        self._changed: list[list[str]] = []  # what of a prompt was found to be another one
        self._parts: dict[str, int] = {}  # how often each part was attached
        self._check_folder()
        there = (self.folder / LINES).is_file()
        self.playing: bool = there and mode != "all"
        self._reader = Reader(self.folder) if self.playing else None
        self._writer: Writer | None = None
        recorded = self._reader.answers if self._reader is not None else ()
        self.listings: Listings = Listings(
            [one for one in recorded if one.kind == KIND], asked_live=not self.keyless
        )
        self.computed: computed.Computed = computed.Computed(
            [one for one in recorded if one.kind == computed.KIND]
        )
        self.deck: Deck | None = None  # what is recorded in this call; by _open()
        self.script = Script()  # the caller's own account; by _open()
        self.turn = 0  # the caller's turn; written when a language model is asked

    def _check_folder(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise CassetteError(
                f"cassette={str(self.folder)!r} is a file: a cassette is a folder, with "
                f"{LINES} in it; give the folder's path"
            )
        if self.record_mode == "none" and not (self.folder / LINES).is_file():
            raise CassetteError(
                f"there is no cassette in {str(self.folder)!r}, and record_mode='none' records "
                "none: run it once with record_mode='once', where the services' keys are"
            )
        if (
            self.folder.is_dir()
            and not (self.folder / LINES).is_file()
            and any(self.folder.iterdir())
        ):
            raise CassetteError(
                f"cassette={str(self.folder)!r} is a folder with other files and no {LINES}: give "
                "a folder of the cassette's own"
            )

    # --- in a call ---------------------------------------------------------------------------

    def attach(self, session: Session, kind: str, name: str | None, service: object) -> None:
        """Record or play a service of the call, which does not run yet.

        Args:
            session: The call.
            kind: "stt", "llm" or "tts".
            name: Its name, if it is one of a switcher's.
            service: The service.
        """
        assert session.on_loop(), "only on the session's loop"
        if not seams.is_of_kind(service, kind):
            raise CassetteError(
                f"{type(service).__name__} is no service of pipecat's, and a cassette can't tell "
                "what it gets from its provider: leave cassette= out"
            )
        realtime = kind == "llm" and (is_realtime(service) or seams.detects_turns(service))
        self._open(session)
        part = f"{kind}/{name}" if name else kind
        self._parts[part] = self._parts.get(part, 0) + 1
        if self._parts[part] > 1:  # of another agent of the call
            part += f" {self._parts[part]}"
        self._restore.append(seams.restorer(service, "realtime" if realtime else kind))
        if realtime:
            self._attach_realtime(session, part, service)
            return
        recording = None
        if self.deck is not None:
            recording = Recording(self.deck, kind, part, service, adding=self.playing)
        if self.playing and kind == "llm":
            PlayingLLM(self, part, service, recording=recording)
        elif self.playing:
            playing = {"tts": PlayingTTS, "stt": PlayingSTT}[kind]
            playing(self, part, service, recording=recording)

    def _attach_realtime(self, session: Session, part: str, service: object) -> None:
        if not self.playing:
            assert self.deck is not None, "it is recorded"
            RecordingRealtime(self.deck, part, service)
            return
        tape = RealtimeTape(
            self._answers("realtime", part),
            lambda asked, recorded: self._miss("llm", asked, recorded),
            self._notice,
        )
        tape.check(
            session.settings.origin,
            asked_live=self.deck is not None,
            detects_turns=seams.detects_turns(service),
        )
        PlayingRealtime(self, part, service, tape)

    def _open(self, session: Session) -> None:
        if self._session is session:
            return
        if self._session is not None:
            raise CassetteError("a Cassette is for one call: make another one for the next")
        self._session, self.script = session, session.script
        session.closers.append(self.close)
        reader = self._reader
        if not self.playing or self.record_mode == "new_episodes":
            about = {"piopiy_lab": __version__, "pipecat": metadata.version("pipecat-ai")}
            self._writer = Writer(self.folder, append=self.playing, about=about)
            self._writer.on_failure = lambda error: self._notice(
                f"the cassette {str(self.folder)!r} ends here, for it can't be written: {error}"
            )
            self.deck = Deck(self._writer, session.now, session.script)
            self.listings.write_on(self.deck.ask)
            self.computed.write_on(self.deck.ask)
            if reader is not None:
                self._writer.number_from(1 + max((a.number for a in reader.answers), default=0))
                self.deck.first_prompt = reader.next_prompt
        if reader is not None and reader.torn:
            self._notice(
                f"the cassette {str(self.folder)!r} was cut off while it was written: what came "
                "last is not on it"
            )

    @property
    def by_detector(self) -> bool:
        """Whether recognition hangs on the detector's starts of speech: there was no script."""
        return self._reader is not None and self._reader.by_detector

    @property
    def keyless(self) -> bool:
        """Whether nobody is asked: no key is needed."""
        return self.playing and self.record_mode != "new_episodes"

    async def close(self) -> None:
        """Close the files, and let the services go: one that serves again is its own."""
        for restore in reversed(self._restore):
            restore()
        if self._reader is not None:
            self._reader.close()
        if self._writer is not None:
            try:
                await asyncio.to_thread(self._writer.close)
            except OSError as error:
                log.warning(
                    "the sound of the cassette %r stays uncompressed: %s", str(self.folder), error
                )

    def _notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)
            if self._session is not None:
                self._session.notice(text)

    # --- as its players see it ---------------------------------------------------------------

    def call_now(self) -> float:
        """Return the call's seconds."""
        return 0.0 if self._session is None else self._session.now()

    def sound(self, place: list[int]) -> bytes:
        """Return the samples at a place of the cassette."""
        assert self._reader is not None, "it is played"
        return self._reader.sound(place)

    def computes(self, kind: ServiceKind) -> None:
        """Say, once, which services of a kind computed when what is played was recorded."""
        self.computed.tell(kind, self._session)

    def find_start(self, part: str) -> Answer | None:
        """Return what came before anything was asked; None of most."""
        return next(iter(self._answers("start", part)), None)

    def find_llm(self, part: str, asked: Record) -> Answer | None:
        """Return the answer to messages; None after a miss."""
        self.turn = keys.turn_of(asked["said"])
        unused = self._unused("llm", part)
        said = [one for one in unused if one.asked["said"] == asked["said"]]
        same = (one for one in said if not keys.prompt_difference(asked, one.asked))
        found = next(same, said[0] if said else None)
        if found is None:
            best = unused[0] if unused else None
            now, then = keys.difference(asked["said"], best.asked["said"] if best else ())
            return self._miss("llm", now, then if best else "nothing more")
        self.prompt_changed(keys.prompt_difference(asked, found.asked))
        self.computes("llm")
        return _take(found)

    def prompt_changed(self, changed: list[str]) -> None:
        """Take note of a prompt that is not the recorded one, once."""
        if changed and changed not in self._changed:
            self._changed.append(changed)
            told = (
                "nobody was asked with the new ones, and what you hear are the old prompt's answers"
                if self.deck is None
                else "the model is asked with the new ones, and what you hear is on the cassette "
                "for as long as it answers the same"
            )
            self._notice(
                f"from turn {self.turn} on the {' and the '.join(changed)} of the agent are not "
                f"those of the cassette {str(self.folder)!r}: {told}"
            )

    def other_answer(self, turn: int, recorded: str, now: str) -> None:
        """Take note of what the live model answers in the place of a recorded answer."""
        self._notice(f"turn {turn}: the recorded answer was {recorded}, and now it is {now}")

    def find_tts(self, part: str, text: str, settings: dict[str, str]) -> Answer | None:
        """Return what was spoken for a text; None after a miss."""
        unused = [one for one in self._unused("tts", part) if one.texts]
        of_text = [one for one in unused if one.texts[0] == text]
        found = next((one for one in of_text if one.asked["settings"] == settings), None)
        if found is not None:
            self.computes("tts")
            return _take(found)
        if of_text:
            return self._miss("tts", f"{text} {settings}", f"{text} {of_text[0].asked['settings']}")
        best = max(unused, key=lambda one: keys.likeness(text, one.texts[0]), default=None)
        if best is not None and keys.likeness(text, best.texts[0]) < ALIKE:
            best = unused[0]
        return self._miss("tts", text, best.texts[0] if best else "nothing more")

    def has_words(self, part: str) -> bool:
        """Whether a voice's words have times in any of its answers, or it has no answers."""
        answers = self._answers("tts", part)
        return not answers or any(came.does == WORDS for one in answers for came in one.came)

    def find_stt(self, part: str, mark: Mark) -> Answer | None:
        """Return what was recognised after a mark; None after a miss."""
        recorded = self._answers("stt", part)
        found = next(
            (
                one
                for one in recorded
                if one.asked.get("act", one.asked.get("sound")) == mark.number
            ),
            None,
        )
        if found is None:
            if not recorded and mark.number == 0:
                return None
            heard = f"the caller's utterance {mark.number}" + (
                f", {mark.text!r}" if mark.text else ""
            )
            return self._miss("stt", heard, f"{len(recorded) - 1} utterances")
        text = found.asked.get("text")
        if mark.text is not None and text is not None and mark.text != text:
            return self._miss("stt", mark.text, text)
        return _take(found)

    def find_tool(self, part: str, asked: Record) -> Answer | None:
        """Return what a tool did; None after a miss."""
        unused = self._unused("tool", part)
        found = next((one for one in unused if one.asked == asked), None)
        if found is not None:
            return _take(found)
        of_tool = [one for one in unused if one.asked["tool"] == asked["tool"]]
        best = (of_tool or unused or [None])[0]
        return self._miss("tool", _shown_tool(asked), _shown_tool(best.asked) if best else "none")

    def beyond_the_cut(self, answer: Answer) -> None:
        """Take note of an answer that was cut off when it was recorded, and isn't now."""
        self._notice(
            f"turn {answer.turn}: the answer was interrupted when it was recorded and is not now: "
            "what would have come after is not on the cassette, and the answer ends there"
        )

    def _answers(self, kind: str, part: str) -> list[Answer]:
        assert self._reader is not None, "it is played"
        return [one for one in self._reader.answers if one.kind == kind and one.part == part]

    def _unused(self, kind: str, part: str) -> list[Answer]:
        return [one for one in self._answers(kind, part) if not one.used]

    def _miss(self, kind: Any, asked: str, recorded: str) -> None:
        miss = Miss(kind, self.turn, round(self.call_now(), 3), asked, recorded)
        self.misses.append(miss)
        assert self._session is not None, "it is played in a call"
        if self.deck is not None:
            self._notice(f"not on the cassette, so it was asked: {miss}")
            return
        self._session.end(
            "error",
            CassetteError(
                f"not on the cassette {str(self.folder)!r}: {miss}. Record the call anew with "
                "record_mode='all', or have it asked and added with 'new_episodes'"
            ),
        )


def _take(answer: Answer) -> Answer:
    answer.used = True
    return answer


def _shown_tool(asked: Record) -> str:
    given = ", ".join(f"{name}={value!r}" for name, value in asked["arguments"].items())
    return f"{asked['tool']}({given})"
