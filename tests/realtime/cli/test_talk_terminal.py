"""``piopiy-lab talk`` on a real terminal: the bottom line, keys, and the terminal afterwards."""

from __future__ import annotations

import re
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

from pty_terminal import PtyProgram, Screen

LEVELS = re.compile(r"^caller ([#.]{10}|muted {5})  agent ([#.]{10})")
LINE = "a table for two tomorrow at seven"


@pytest.fixture
def talk(card, request):
    columns, env = getattr(request, "param", (80, {}))
    program = PtyProgram(["-m", "piopiy_lab.cli", "talk"], {**card.env, **env}, columns)
    yield program
    program.close()


def bottom(program):
    return program.screen.rows[-1]


def agent_talks(program):
    levels = LEVELS.match(bottom(program))
    return levels is not None and "#" in levels[2]


def hang_up(program):
    program.press("\x03")
    program.until(lambda: program.process.poll() is not None)
    program.until(lambda: "piopiy-lab new my-agent" in program.text)


def test_levels_are_drawn_a_turn_is_typed_tab_mutes_and_ctrl_c_leaves_all_as_it_was(talk, card):
    talk.until(lambda: "Tab mutes" in talk.text)
    talk.until(lambda: f'Try saying: "{LINE}"' in talk.text.replace("\n", ""))
    talk.until(lambda: agent_talks(talk))
    assert talk.modes_now() != talk.modes, "keys come one by one"
    talk.until(lambda: "How can I help?" in talk.text)

    talk.press("a tible\x1b[D\x1b[A")  # a mistake, cursor keys that mean nothing, its correction
    talk.until(lambda: bottom(talk).endswith("  > a tible"))
    talk.press("\x7f" * 4 + "able for zwölf")
    talk.until(lambda: bottom(talk).endswith("  > a table for zwölf"))
    talk.press("\x15" + LINE)
    talk.until(lambda: bottom(talk).endswith("  > " + LINE))
    talk.press("\n")
    talk.until(lambda: "[typed]" in talk.text)
    assert [row for row in talk.screen.rows if f"  caller  {LINE} [typed]" in row]
    talk.until(lambda: agent_talks(talk))
    talk.until(lambda: re.search(r"  \d+ ms  > $", bottom(talk)))

    talk.press("\t")
    talk.until(lambda: bottom(talk).startswith("caller muted "))
    talk.press("\t")
    talk.until(lambda: bottom(talk).startswith("caller .........."))
    talk.until(lambda: "What name is it under?" in talk.text and not agent_talks(talk))
    player = card.say("hello hello hello")
    talk.until(lambda: bottom(talk).startswith("caller ###"))
    player.wait()

    hang_up(talk)
    assert talk.process.returncode == 0
    assert talk.modes_now() == talk.modes
    assert "hung up" in talk.text
    assert not [row for row in talk.screen.rows if LEVELS.match(row)], talk.text
    assert "^C" not in talk.text
    assert "Traceback" not in talk.text


@pytest.mark.parametrize("talk", [(40, {"NO_COLOR": "1"})], indirect=True)
def test_a_narrow_terminal_without_colors_shows_what_is_typed_on_one_line(talk):
    talk.until(lambda: agent_talks(talk))
    talk.press("a table for two tomorrow")
    talk.until(lambda: bottom(talk).endswith("  > a table for two tomorrow"))
    assert bottom(talk).startswith("caller ")
    talk.until(lambda: "How can I help?" in talk.text.replace("\n", ""))
    drawn = [row for row in talk.screen.rows if "  > " in row]
    assert len(drawn) <= 1, "no row is left behind by one that was too long"
    hang_up(talk)
    assert talk.modes_now() == talk.modes


def test_the_screen_of_these_tests_wraps_and_draws_over():
    screen = Screen(5)
    screen.show("abcdefg\r\x1b[Kx\r\n\x1b[31my\x1b")
    screen.show("[0mz")
    assert screen.rows == ["abcde", "x", "yz"]
    screen.show("\r\x1b[A\x1b[Jw\nv")
    assert screen.rows == ["abcde", "w", "v"]
