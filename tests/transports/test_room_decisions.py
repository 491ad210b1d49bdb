"""What the room's reports do to a call: decided without a network."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from livekit import rtc

from piopiy_lab import events
from piopiy_lab.errors import RoomError
from piopiy_lab.events.log import EventLog
from piopiy_lab.pipeline.reading import RoomParams
from piopiy_lab.session.call_control import TransferNews
from piopiy_lab.session.session import Session, SessionSettings
from piopiy_lab.session.transfer_order import TransferOrder
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.transports.room import RoomTransport, room_params
from piopiy_lab.transports.telecmi import TelecmiParams, TelecmiTransport

SIP, EGRESS = 3, 2


@pytest.fixture
def room():
    """A transport in a session that nobody runs; it never connects."""
    session = Session(
        log=EventLog(clock=lambda: 2.0),
        recorder=Recorder(24000),
        settings=SessionSettings(origin="room", open_transport=lambda *_: None),
    )
    return RoomTransport(session, TransportSettings(), "ws://127.0.0.1:1", "tok-room", "r1")


async def test_a_link_lost_for_good_is_an_error_with_livekits_word(room):
    room.room_lost("CONNECTION_TIMEOUT")
    assert room.session.reason == "error"
    assert isinstance(room.session.error, RoomError)
    assert "CONNECTION_TIMEOUT" in str(room.session.error)
    assert not room.session.handed_over  # the caller's line is to be hung up


async def test_a_room_that_the_platform_closed_is_the_callers_hanging_up(room):
    room.room_lost("ROOM_DELETED")
    assert room.session.reason == "caller_hung_up"


async def test_a_caller_who_left_before_we_were_in_has_hung_up(room):
    room.participant_gone("recorder", EGRESS)
    assert room.session.reason is None
    room.participant_gone("sip_1", SIP)
    assert room.session.reason == "caller_hung_up"


async def test_while_a_link_is_mended_nobody_leaves_and_it_is_told(room):
    room.caller = "sip_1"
    room.link_lost()
    room.participant_gone("sip_1", SIP)  # LiveKit's own tidying up
    assert room.session.reason is None
    assert room.session.log.of(events.RoomLinkLost)
    room.get_participants = lambda: ["sip_1"]
    room.link_restored()
    assert room.session.reason is None
    assert room.session.log.of(events.RoomLinkRestored)[0].secs == 0.0
    room.link_lost()
    room.get_participants = list
    room.link_restored()
    assert room.session.reason == "caller_hung_up"  # gone while the link was down


class Track:
    def __init__(self, kind):
        self.kind = kind


async def test_first_words_wait_until_the_caller_can_hear_them(room):
    waiting = asyncio.create_task(room.wait_until_answered())
    room._client.heard_by_somebody(Track(rtc.TrackKind.KIND_VIDEO))
    room._caller_there.set()
    for _ in range(10):  # every task has had its turn by then
        await asyncio.sleep(0)
    assert not waiting.done()
    room._client.heard_by_somebody(Track(rtc.TrackKind.KIND_AUDIO))
    async with asyncio.timeout(1):
        await waiting
    assert not room.session.log.of(events.NoticeGiven)


async def test_a_server_that_does_not_say_who_hears_us_is_waited_for_once_and_told(room):
    room._client.audible_secs = 0.01
    room._caller_there.set()
    async with asyncio.timeout(1):
        await room.wait_until_answered()
    (notice,) = room.session.log.of(events.NoticeGiven)
    assert "did not say within 0.01 s that the caller can hear the agent" in notice.message


async def test_a_call_that_ends_meanwhile_waits_no_longer(room):
    waiting = asyncio.create_task(room.wait_until_answered())
    room._caller_there.set()
    room.room_lost("ROOM_DELETED")
    async with asyncio.timeout(1):
        await waiting


async def test_rates_and_the_users_own_parameters_reach_the_room():
    given = RoomParams.read(TelecmiParams(audio_out_queue_size_ms=300, audio_in_user_tracks=False))
    params = room_params(
        TransportSettings(
            audio_in_sample_rate=8000, audio_out_sample_rate=16000, room_params=given.chosen
        )
    )
    assert (params.audio_in_sample_rate, params.audio_out_sample_rate) == (8000, 16000)
    assert (params.audio_out_queue_size_ms, params.audio_in_user_tracks) == (300, False)
    with pytest.raises(ValueError, match="no_such"):
        TelecmiParams(no_such=1)


async def test_a_room_that_does_not_answer_our_goodbye_is_dropped(room):
    client, asked = room._client, asyncio.Event()
    client.leave_secs = 0.05

    class SilentRoom:
        def __init__(self):  # as after joining: LiveKit's task listens to its library
            self._task = asyncio.create_task(asyncio.Event().wait())

        async def disconnect(self):
            asked.set()
            await asyncio.Event().wait()

    client._room = silent = SilentRoom()
    client._connected, client._disconnect_counter = True, 1
    async with asyncio.timeout(5):
        await client.disconnect()
        await asyncio.wait((silent._task,))
    assert asked.is_set()
    assert silent._task.cancelled()


async def test_outside_of_a_call_a_transport_says_what_is_missing():
    with pytest.raises(RoomError, match="url, token, room_name is missing"):
        TelecmiTransport()


class Control:
    """The platform's side of one transfer: it is accepted, and stands as ``state`` says."""

    def __init__(self, state):
        self.state = state

    async def transfer(self, order):
        return "tr-1"

    async def transfer_state(self, request_id):
        return TransferNews(self.state, request_id)


@pytest.mark.parametrize("gone", ["PARTICIPANT_REMOVED", "ROOM_DELETED", "caller"])
@pytest.mark.parametrize(
    ("state", "reason"), [("completed", "agent_ended"), ("queued", "caller_hung_up")]
)
async def test_who_is_gone_during_a_transfer_was_handed_over_if_the_platform_says_so(
    room, gone, state, reason
):
    session, room.caller = room.session, "sip_1"
    session.transfers.news_secs = 0.05
    session.settings = replace(session.settings, control=Control(state))
    transfer = await session.transfers.begin(TransferOrder("+918012345678"), "tool")
    if gone == "caller":
        room.participant_gone("sip_1", SIP)
    else:
        room.room_lost(gone)
    assert session.reason is None
    await session.transfers.wait(transfer)
    assert session.reason == reason
    assert session.handed_over is (state == "completed")


async def test_news_of_a_transfer_comes_as_data_on_its_topic(room):
    text = json.dumps({"type": "transfer_status", "status": "completed", "request_id": "tr-9"})
    for topic in ("note", "transfer_status"):
        packet = rtc.DataPacket(
            data=text.encode(), kind=rtc.DataPacketKind.KIND_RELIABLE, participant=None, topic=topic
        )
        room.packet_received(packet)
        assert (room.session.reason is None) is (topic == "note")
    (done,) = room.session.log.of(events.TransferFinished)
    assert (done.to, done.request_id) == ("", "tr-9")
