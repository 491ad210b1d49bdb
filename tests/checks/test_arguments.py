"""Arguments that a user gave: what is a number, what are seconds, and how it is said."""

import math

import pytest

from piopiy_lab.checks import arguments
from piopiy_lab.errors import ArgumentError, ArgumentTypeError


@pytest.mark.parametrize("value", [True, False, "1", None, 1j, [1]])
def test_what_is_no_number(value):
    assert not arguments.is_number(value)
    assert not arguments.is_whole(value)
    for check in (
        lambda: arguments.check_number("x", value, 0, 1),
        lambda: arguments.check_secs("x", value, zero=True),
        lambda: arguments.check_count("x", value, least=0),
    ):
        with pytest.raises(ArgumentTypeError, match=r"^x=.*: give a (whole )?number"):
            check()


@pytest.mark.parametrize(
    ("value", "zero", "endless", "fits"),
    [
        (0, True, False, True),
        (0, False, False, False),
        (1e-9, False, False, True),
        (-1, True, True, False),
        (math.inf, True, False, False),
        (math.inf, False, True, True),
        (-math.inf, True, True, False),
        (math.nan, True, True, False),
        (math.nan, False, False, False),
    ],
)
def test_seconds(value, zero, endless, fits):
    if fits:
        assert arguments.check_secs("wait", value, zero=zero, endless=endless) == value
        return
    wanted = "0 or more" if zero else "more than 0"
    with pytest.raises(ArgumentError, match=f"^wait={value!r}: give seconds, {wanted}$"):
        arguments.check_secs("wait", value, zero=zero, endless=endless)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_a_number_out_of_range_is_shown_with_what_was_called(value):
    assert arguments.check_number("gain", 1, 0, 1) == 1.0
    with pytest.raises(ArgumentError, match=r"^Mic\(gain=.*\) is out of range: give 0 to 1$"):
        arguments.check_number("gain", value, 0, 1, of="Mic")


def test_counts_flags_and_texts():
    arguments.check_count("n", 1, least=1)
    arguments.check_flag("on", False)
    arguments.check_text("words", "hello")
    with pytest.raises(ArgumentError, match="^n=0: give 1 or more$"):
        arguments.check_count("n", 0, least=1)
    with pytest.raises(ArgumentTypeError, match="^n=1.0: give a whole number$"):
        arguments.check_count("n", 1.0, least=1)
    with pytest.raises(ArgumentTypeError, match=r"^Mic\(on=1\): give True or False$"):
        arguments.check_flag("on", 1, of="Mic")
    with pytest.raises(ArgumentTypeError, match="^words=3: give a text$"):
        arguments.check_text("words", 3)
    with pytest.raises(ArgumentError, match="^words=' ' is empty: say something$"):
        arguments.check_text("words", " ")
