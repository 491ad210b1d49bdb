"""What ``talk`` draws, look by look: words as they come, and lines that stay."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

if sys.platform == "win32":
    pytest.skip("its screen stands beside a pseudo-terminal, which is POSIX's", True)

from hand_made_call import RunningPort, Sound
from pty_terminal import Screen as Shown

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.cli.screen import Screen
from piopiy_lab.cli.terminal import Terminal, fitted
from piopiy_lab.events.log import EventLog


class Tty(io.StringIO):
    columns = 80

    def isatty(self) -> bool:
        return True


class Watching:
    """A call of events as the test writes them, and what a person sees of it."""

    def __init__(self, *, levels: bool = False) -> None:
        self.log, self.tty, self.shown = EventLog(), Tty(), Shown(80)
        self.call = Call(self.log, Sound(np.zeros((0, 2), np.int16)), RunningPort())
        self.screen = Screen(Terminal(self.tty, color=False), levels=levels)
        self.happens(
            ev.CallStarted(at=0.0, origin="keyboard", sample_rate=24000),
            ev.CallStateChanged(at=0.1, old="starting", new="listening"),
        )

    def happens(self, *events: ev.Event) -> list[str]:
        for event in events:
            self.log.append(event)
        return self.look()

    def look(self, **options: bool) -> list[str]:
        self.screen.update(self.call, **options)
        self.shown.show(self.tty.getvalue())
        self.tty.seek(0)
        self.tty.truncate()
        return self.shown.rows


@pytest.fixture
def watching(monkeypatch) -> Watching:
    monkeypatch.setenv("TERM", "xterm")
    return Watching()


def test_the_agents_words_appear_as_they_are_heard_above_what_is_typed(watching):
    watching.screen.type("a ta")
    rows = watching.happens(ev.AgentSpeechStarted(at=0.5), ev.WordSpoken(at=0.5, text="Hello,"))
    assert rows == ["00:00.5  agent   Hello,", "> a ta"]
    rows = watching.happens(ev.WordSpoken(at=0.9, text="who is there?"))
    assert rows == ["00:00.5  agent   Hello, who is there?", "> a ta"]
    assert watching.screen.type("ble\n") == ["a table"]
    watching.happens(ev.AgentSpeechStopped(at=1.5, cause="finished"))
    assert watching.look() == ["00:00.5  agent   Hello, who is there?", "> "]
    rows = watching.happens(ev.UserTextTyped(at=2.0, text="a table"))
    assert rows[1:] == ["00:02.0  caller  a table [typed]", "> "]
    assert watching.look(over=True)[2:] == [""]


def test_a_line_says_that_it_was_cut_off_though_that_is_known_a_moment_later(watching):
    watching.happens(ev.AgentSpeechStarted(at=0.5), ev.WordSpoken(at=0.5, text="Hello,"))
    watching.happens(ev.AgentSpeechStopped(at=0.9, cause="interrupted"))
    watching.happens(
        ev.AgentInterrupted(at=0.9, cause="user", speaking=True),
        ev.UserTextTyped(at=0.9, text="stop"),
    )
    rows = watching.look()
    assert rows[0].startswith("00:00.5  agent   Hello, --  (cut off")
    assert rows[1:] == ["00:00.9  caller  stop [typed]", "> "]


def test_what_the_recogniser_has_understood_so_far_is_shown_until_it_is_sure(watching):
    rows = watching.happens(
        ev.UserSpeechStarted(at=2.0, cause="vad", start_secs=0.2),
        ev.UserTurnStarted(at=2.0),
        ev.InterimTranscribed(at=2.5, text="a table"),
    )
    assert rows == ["00:02.5  caller  a table ...", "> "]
    rows = watching.happens(
        ev.UserSpeechStopped(at=3.2, cause="vad", stop_secs=0.2),
        ev.Transcribed(at=3.2, text="a table for two"),
        ev.UserTurnAdded(at=3.2, text="a table for two"),
        ev.UserTurnStopped(at=3.2),
    )
    assert [row[16:] for row in rows] == [" a table for two", ""]
    assert "caller" in rows[0]


def test_a_long_line_shows_its_end_and_wraps_only_when_it_is_whole(watching):
    said = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    rows = watching.happens(ev.AgentSpeechStarted(at=0.5), ev.WordSpoken(at=0.5, text=said))
    assert len(rows) == 2
    assert rows[0].startswith("00:00.5  agent   ...")
    assert rows[0].endswith("fourteen")
    assert len(rows[0]) == 79


@pytest.mark.parametrize(
    ("columns", "keep_end", "fits"),
    [
        (9, False, "a 東京 b"),
        (5, False, "a 東"),
        (8, True, "a 東京 b"),
        (6, True, "... b"),
        (2, True, " b"),
    ],
)
def test_what_fits_is_counted_in_columns(columns, keep_end, fits):
    assert fitted("a 東京 b", columns, keep_end=keep_end) == fits


def test_a_call_that_has_not_begun_says_so_and_levels_are_for_microphones(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    watching = Watching(levels=True)
    rows = watching.happens(
        ev.LevelMeasured(at=0.2, user_dbfs=-30.0, agent_dbfs=-96.0),
        ev.UserMuted(at=0.3, muted=False),
    )
    assert rows == ["caller #####.....  agent ..........  > "]
    rows = watching.happens(ev.UserMuted(at=0.4, muted=True))
    assert rows == ["caller muted       agent ..........  > "]
    starting, tty = EventLog(), Tty()
    starting.append(ev.CallStarted(at=0.0, origin="keyboard", sample_rate=24000))
    call = Call(starting, Sound(np.zeros((0, 2), np.int16)), RunningPort())
    Screen(Terminal(tty, color=False), levels=False).update(call)
    assert tty.getvalue().endswith("starting ...  > ")
