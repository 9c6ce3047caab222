"""The upstream that is played by scripts."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm_kit.testing import ScriptedUpstream, answering

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("said", [b"POST /v1 HT", b"POST /v1 HTTP/1.1\r\ncontent-length: 9\r\n\r\n{}"])
async def test_a_client_that_leaves_before_its_request_is_whole_is_no_failure(said):
    failures = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with ScriptedUpstream(answering({})) as upstream:
        _, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        writer.write(said)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        assert len(upstream.requests) == 1
    assert failures == []
