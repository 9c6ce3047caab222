"""Who is cancelled does not leave a thread behind that still writes."""

from __future__ import annotations

import asyncio
import threading

import pytest
from llamafarm_universal.media.threads import in_thread

pytestmark = pytest.mark.anyio


async def test_what_a_thread_returns_or_raises_comes_back():
    assert await in_thread(int, "7", base=8) == 7
    with pytest.raises(ValueError, match="invalid literal"):
        await in_thread(int, "x")


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancellation_waits_for_the_thread(fails):
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        go_on.wait(20)
        ended.set()
        if fails:
            raise OSError

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(began.wait, 20)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
