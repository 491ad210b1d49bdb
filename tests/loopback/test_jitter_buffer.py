"""The buffer that puts the packets of a room's audio in order."""

from __future__ import annotations

import random

import pytest
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from piopiy_lab.loopback.jitter import DEPTH, AudioJitterBuffer


def given(buffer, numbers, empty=()):
    """The packets that come out, by number, when these come in."""
    out = []
    for number in numbers:
        packet = RtpPacket(sequence_number=number & 0xFFFF, timestamp=960 * number & 0xFFFFFFFF)
        packet._data = b"" if number in empty else str(number).encode()
        _, frame = buffer.add(packet)
        if frame is not None:
            assert frame.timestamp == 960 * int(frame.data) & 0xFFFFFFFF
            out.append(int(frame.data))
    return out


def test_a_good_link_is_not_delayed():
    buffer = AudioJitterBuffer()
    for number in range(20):
        assert given(buffer, [number]) == [number]


def test_the_count_goes_round():
    numbers = list(range(65530, 65545))
    assert given(AudioJitterBuffer(), numbers) == numbers


def test_packets_are_put_in_order():
    assert given(AudioJitterBuffer(), [0, 2, 1, 3, 5, 4, 6, 7]) == list(range(7))


def test_a_lost_packet_costs_itself_only():
    random.seed(7)
    numbers = [n for n in range(1000) if random.random() > 0.1 or n < 5]
    out = given(AudioJitterBuffer(), numbers)
    assert out == numbers[: len(out)]
    assert len(numbers) - len(out) < DEPTH  # which wait at the end
    # That is what aiortc's own does not do, and why ours is there.
    assert len(given(JitterBuffer(capacity=16, prefetch=4), numbers)) < 0.7 * len(numbers)


@pytest.mark.parametrize("gap", [DEPTH, 40, 5000, 30000])
def test_after_a_cut_the_stream_goes_on(gap):
    before, after = list(range(10)), list(range(10 + gap, 30 + gap))
    out = given(AudioJitterBuffer(), before + after)
    assert out == (before + after)[: len(out)]
    assert len(out) == len(before) + len(after) - DEPTH + 1


def test_a_new_count_of_the_sender_is_followed():
    assert given(AudioJitterBuffer(), [5000, 5001, 17, 18, 19]) == [5000, 5001, 17, 18, 19]


def test_late_and_double_packets_are_dropped():
    assert given(AudioJitterBuffer(), [0, 1, 2, 1, 2, 3, 3, 0, 4]) == [0, 1, 2, 3, 4]


def test_packets_without_sound_hold_up_nothing():
    assert given(AudioJitterBuffer(), [0, 1, 2, 3], empty=(1, 2)) == [0, 3]
    assert given(AudioJitterBuffer(), [0, 2, 1, 3], empty=(1,)) == [0, 2, 3]
