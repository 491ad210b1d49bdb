"""Keys from a terminal: what is a character, and what is not."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

import pty
import tty

from piopiy_lab.cli.keyboard import Keys


@pytest.fixture
def terminal():
    """The two ends of a terminal: where a person types, and where a program reads."""
    person, program = pty.openpty()
    tty.setcbreak(program)
    yield person, program
    for number in (person, program):
        try:
            os.close(number)
        except OSError:
            continue  # the test hung it up


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("two\n", "two\n"),
        ("a\x1b[Ab\x1b[1;5Dc\x1bOPd", "abcd"),
        ("x\x7f\t", "x\x7f\t"),
        ("\x1b", ""),
    ],
)
def test_cursor_keys_are_no_text(terminal, typed, taken):
    person, program = terminal
    os.write(person, typed.encode())
    assert Keys(program).take() == taken


def test_a_character_that_comes_in_two_pieces_is_one(terminal):
    person, program = terminal
    keys, ö = Keys(program), "ö".encode()
    os.write(person, b"zw" + ö[:1])
    assert keys.take() == "zw"
    os.write(person, ö[1:])
    assert keys.take() == "ö"
    assert keys.take() == ""


def test_a_key_ends_the_wait(terminal):
    person, program = terminal
    keys, began = Keys(program), time.monotonic()
    typist = threading.Timer(0.05, os.write, (person, b"x"))
    typist.start()
    keys.wait(20.0)
    typist.join()
    assert time.monotonic() - began < 10.0
    assert keys.take() == "x"


def test_a_terminal_that_has_gone_is_nothing_to_wait_for_and_no_busy_loop(terminal):
    person, program = terminal
    keys = Keys(program)
    os.close(person)
    assert keys.take() == ""
    began = time.monotonic()
    keys.wait(0.1)
    assert time.monotonic() - began >= 0.1
