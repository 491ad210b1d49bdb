"""Running cells in a kernel of their own, from an async test."""

from __future__ import annotations

import asyncio

BUSY = "import time\nprint('busy', flush=True)\nfor _ in range(300): time.sleep(0.1)"


async def run(client, code, *, interrupt=None):
    """Run a cell; return its text outputs and its error's name.

    ``interrupt`` is called when the cell has printed something: it runs then.
    """
    told, failed = [], None
    updates = client.updates = []  # of what an earlier cell shows
    message = client.execute(code)
    async with asyncio.timeout(30):
        while True:
            reply = await client.get_iopub_msg()
            kind, content = reply["msg_type"], reply["content"]
            if kind == "update_display_data":
                updates.append(content["data"]["text/plain"])
            if reply["parent_header"].get("msg_id") != message:
                continue
            if kind == "stream":
                told.append(content["text"])
                if interrupt is not None:
                    await interrupt()
                    interrupt = None
            elif kind in ("execute_result", "display_data"):
                told += content["data"].values()
            elif kind == "error":
                failed = content["ename"]
            elif kind == "status" and content["execution_state"] == "idle":
                return "".join(told), failed
