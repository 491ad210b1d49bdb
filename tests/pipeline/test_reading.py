"""What ``Action`` is given is read once."""

from __future__ import annotations

from piopiy_lab.pipeline.reading import RoomParams
from piopiy_lab.transports.telecmi import TelecmiParams


def test_room_parameters_that_change_later_change_nothing():
    params = TelecmiParams(audio_in_sample_rate=8000, audio_out_queue_size_ms=300)
    read = RoomParams.read(params)
    params.audio_in_sample_rate = 48000
    params.audio_in_user_tracks = False
    assert (read.audio_in_sample_rate, read.audio_out_sample_rate) == (8000, 24000)
    assert read.chosen == {"audio_in_sample_rate": 8000, "audio_out_queue_size_ms": 300}
    assert read.notice == "telecmi_params: audio_out_queue_size_ms act on the phone only"


def test_any_object_may_bring_some_of_them():
    class Params:
        audio_out_sample_rate = 8000

    read = RoomParams.read(Params())
    assert (read.audio_in_sample_rate, read.audio_out_sample_rate) == (16000, 8000)
    assert read.vad_analyzer is read.turn_analyzer is read.notice is None
    assert RoomParams.read(None) == RoomParams(16000, 24000, None, None, {})
