"""An Agent beside a notebook's cells: a real kernel, interrupted while a call runs."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from kernel_cells import BUSY, run
from telephony_servers import SignallingServer, invite
from wait_until import until

from piopiy_lab.errors import ArgumentError, SignalingError
from piopiy_lab.telephony.background import stop_all

SESSION = """
import asyncio
from piopiy_lab import Agent

async def create_session(call_id):
    await asyncio.sleep(600)

agent = Agent("agent-1", "tok-1", create_session, signaling_url={url!r})
handle = agent.start()
await handle.wait_connected()
"""


async def test_interrupting_another_cell_leaves_kernel_and_calls_alive():
    from jupyter_client.manager import start_new_async_kernel

    async with SignallingServer() as server:
        manager, client = await start_new_async_kernel()
        try:
            shown, failed = await run(client, SESSION.format(url=server.url))
            assert failed is None, shown
            assert "Agent 'agent-1'" in shown  # the table of sessions
            assert "No call yet." in shown
            await server.emit("join_room", invite("r1", call_id="a-call"))

            shown, _ = await run(client, "import time; time.sleep(2)")
            assert "connected; 1 running, 1 started" in client.updates[-1]  # the table follows
            assert "a-call" in client.updates[-1]

            _, failed = await run(client, BUSY, interrupt=manager.interrupt_kernel)
            assert failed == "KeyboardInterrupt"
            assert await manager.is_alive()
            shown, failed = await run(
                client, "print(handle.state, [(c.call_id, c.end_reason) for c in handle.calls])"
            )
            assert shown.strip() == "connected [('a-call', None)]"
            await server.emit("cancel_room", {"room_name": "r1"})
            shown, _ = await run(
                client, "await handle.calls[0].wait()\nprint(handle.calls[0].end_reason)"
            )
            assert shown.strip() == "cancelled"
            _, failed = await run(client, "handle.stop()\nhandle.join(10)\nprint(handle)")
            assert failed is None
            await until(lambda: not server.sids)
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(now=True)


async def test_interrupting_a_cell_spares_an_agent_on_the_kernels_own_loop():
    from jupyter_client.manager import start_new_async_kernel

    code = SESSION.partition("handle = ")[0] + "task = asyncio.create_task(agent.connect())\n"
    async with SignallingServer() as server:
        manager, client = await start_new_async_kernel()
        try:
            _, failed = await run(client, code.format(url=server.url))
            assert failed is None
            await until(lambda: server.sids)

            _, failed = await run(client, BUSY, interrupt=manager.interrupt_kernel)
            assert failed == "KeyboardInterrupt"
            shown, _ = await run(
                client, "await asyncio.sleep(0.5)\nprint(agent.state, task.done())"
            )
            assert shown.strip() == "connected False"
            assert len(server.auths) == 1  # and it was never disconnected
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(now=True)


async def test_a_background_agent_serves_and_shows_a_table(make_agent):
    before = set(threading.enumerate())
    release = threading.Event()

    async def create_session(call_id):
        await asyncio.to_thread(release.wait, 20)

    async with SignallingServer() as server:
        handle = make_agent(create_session, server.url).start()
        try:
            await handle.wait_connected()
            await server.emit("join_room", invite("r1", call_id="<b>c</b>", from_number="+91"))
            await until(lambda: handle.agent.sessions.running == 1)
            assert "connected; 1 running, 1 started" in repr(handle)
            assert "<b>c</b>" in repr(handle)
            page = handle._repr_html_()
            assert "&lt;b&gt;c&lt;/b&gt;" in page
            assert "+91" in page
            with pytest.raises(ArgumentError, match="already"):
                handle.agent.start()
            release.set()
            await until(lambda: not handle.agent.sessions.running)
            assert handle.calls[0].end_reason == "agent_ended"
        finally:
            handle.stop()
            await handle.wait()
        assert handle.state == "stopped"
    await _no_threads(before)


async def test_a_background_agent_says_why_it_failed(make_agent):
    async with SignallingServer() as server:
        handle = make_agent(_nothing, server.url, token="wrong").start()
        with pytest.raises(SignalingError, match="Invalid agent token"):
            await handle.wait()
        assert handle.state == "failed"
        assert "Invalid agent token" in repr(handle)
        with pytest.raises(SignalingError):
            handle.join(5)


async def test_the_end_of_the_process_ends_it(make_agent):
    async def create_session(call_id):
        await asyncio.sleep(600)

    async with SignallingServer() as server:
        handle = make_agent(create_session, server.url).start()
        await handle.wait_connected()
        await server.emit("join_room", invite("r1"))
        await until(lambda: handle.agent.sessions.running == 1)
        await asyncio.to_thread(stop_all)
        assert handle.state == "stopped"
        assert handle.calls[0].end_reason == "cancelled"


async def _nothing(call_id):
    pass


async def _no_threads(before):
    deadline = time.monotonic() + 5
    while left := [
        t for t in threading.enumerate() if t not in before and t.name.startswith("pio")
    ]:
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.05)
