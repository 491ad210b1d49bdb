"""Phone calls that are kept: a folder for each, whatever the platform calls them."""

from __future__ import annotations

from telephony_servers import SignallingServer, invite
from wait_until import until

from piopiy_lab import Call

NAMES = ["call-1", "call-1", "../../etc/passwd", "a/b\\c", "..", "x" * 300, "\u202eplan"]


async def test_each_call_has_a_folder_of_its_own_inside_the_one_given(
    make_agent, running_agent, tmp_path
):
    async def create_session(call_id):
        pass

    kept = tmp_path / "calls"
    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url, record=kept)
        async with running_agent(agent):
            for number, name in enumerate(NAMES):
                await server.emit("join_room", invite(f"room-{number}", call_id=name))
                await until(lambda n=number: agent.sessions.started == n + 1)
                await until(lambda: not agent.sessions.running)
    folders = [folder for folder in kept.iterdir() if folder.is_dir()]
    assert len(folders) == len(NAMES)
    assert {"call-1", "call-1-2"} <= {folder.name for folder in folders}
    assert list(tmp_path.iterdir()) == [kept]  # nothing beside it
    loaded = [Call.load(folder) for folder in folders]
    assert sorted(call.call_id for call in loaded) == sorted(NAMES)
    assert {call.end_reason for call in loaded} == {"agent_ended"}
    for folder in folders:
        for file in folder.iterdir():
            assert b"room-token" not in file.read_bytes()


async def test_a_folder_that_cannot_be_written_costs_the_recording_and_not_the_call(
    make_agent, running_agent, tmp_path, caplog
):
    seen = []

    async def create_session(call_id):
        seen.append(call_id)

    (tmp_path / "calls").write_text("a file, not a folder")
    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url, record=tmp_path / "calls")
        async with running_agent(agent):
            await server.emit("join_room", invite("r1", call_id="c1"))
            await until(lambda: agent.sessions.started and not agent.sessions.running)
    assert seen == ["c1"]
    assert "room 'r1' is not recorded" in caplog.text
    assert agent.calls[0].end_reason == "agent_ended"
