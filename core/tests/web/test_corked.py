"""An answer leaves in as few pieces as it can, and nothing of it is held back."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm.web.corked import Corked

pytestmark = pytest.mark.anyio
HEAD, BODY = b"HTTP/1.1 200 OK\r\n\r\n", b"Hello."


class Transport:
    """Notes what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def corked() -> tuple[Corked, Transport]:
    transport = Transport()
    return Corked(transport, asyncio.get_running_loop()), transport  # type: ignore[arg-type]


async def test_head_and_body_of_an_answer_leave_together():
    cork, transport = corked()
    cork.write(HEAD)
    cork.write(BODY)
    assert transport.written == [HEAD + BODY]
    await asyncio.sleep(0)
    assert transport.written == [HEAD + BODY]


async def test_a_head_whose_body_takes_longer_does_not_wait_for_it():
    cork, transport = corked()
    cork.write(HEAD)
    await asyncio.sleep(0)
    assert transport.written == [HEAD]
    cork.write(BODY)
    cork.write(BODY)
    assert transport.written == [HEAD, BODY, BODY]


async def test_a_head_that_waits_leaves_before_the_end():
    cork, transport = corked()
    cork.write(HEAD)
    cork.close()
    assert (transport.written, transport.closed) == ([HEAD], True)


async def test_nothing_is_written_after_the_end():
    cork, transport = corked()
    cork.write(HEAD)
    transport.close()
    await asyncio.sleep(0)
    assert transport.written == []


async def test_what_else_a_transport_does_is_its_own():
    cork, transport = corked()
    assert cork.is_closing() is False
    transport.close()
    assert cork.is_closing() is True
