"""A web page of elsewhere can't talk to the platform, under whatever name it gets here."""

from __future__ import annotations

import aiohttp
import pytest

from piopiy_lab.loopback import LoopbackPlatform


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Origin": "http://localhost:8888"}, 401),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Host": "127.0.0.1:1"}, 401),
        ({"Host": "["}, 403),
    ],
)
async def test_origin_and_host_are_checked(headers, status):
    async with LoopbackPlatform() as platform, aiohttp.ClientSession() as http:
        async with http.get(f"{platform.rest_url}/calls/x", headers=headers) as answer:
            assert answer.status == status
        if status == 403:  # signalling is another server
            where = f"{platform.signaling_url}/socket.io/?EIO=4&transport=polling"
            async with http.get(where, headers=headers) as answer:
                assert answer.status in (400, 403)
