"""The part of the provider contract that is about closing: the runtime stops working before the call returns."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm.wire import SPEECH

from llamafarm_kit.testing.provider_setup import Asking, ProviderSetup
from llamafarm_kit.testing.scenes import Scene

POLL_SECONDS = 0.005

unread_and_begun = pytest.mark.parametrize("read", [0, 1], ids=["unread", "begun"])


class ProviderClosing(ProviderSetup):
    """A client that goes away frees the model within a step; here, each end is looked at without waiting."""

    @unread_and_begun
    async def test_closing_a_reply_ends_the_runtimes_work_before_it_returns(self, read: int) -> None:
        async with self.asking(Scene.ENDLESS) as asking:
            for operation in asking.textual[:1]:
                reply = await asking.ask(operation, stream=True)
                frames = reply.frames()
                for _ in range(read):
                    await anext(frames)
                assert asking.stage.working() == 1, "the runtime is not working, though its answer is open"
                await reply.aclose()
                assert asking.stage.working() == 0, "the runtime is still working when `aclose` has returned"
                await frames.aclose()

    @unread_and_begun
    async def test_closing_a_content_ends_the_runtimes_work_before_it_returns(self, read: int) -> None:
        """Of a sound, which grows; a provider without speech has none that is worth watching."""
        async with self.asking(Scene.ENDLESS) as asking:
            if SPEECH in asking.operations:
                content = await asking.ask(SPEECH)
                pieces = content.pieces()
                for _ in range(read):
                    await anext(pieces)
                assert asking.stage.working() == 1, "the runtime is not working, though its sound is open"
                await content.aclose()
                assert asking.stage.working() == 0, "the runtime is still working when `aclose` has returned"
                await pieces.aclose()

    async def test_cancelling_a_request_ends_the_runtimes_work(self) -> None:
        async with self.asking(Scene.SILENT) as asking:
            for operation in asking.operations[:1]:
                task = asyncio.create_task(asking.ask(operation))
                await until_working(asking, task)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled(), f"the request went on when it was cancelled: {task}"
                assert asking.stage.working() == 0, "the runtime is still working for a request that was cancelled"

    async def test_a_reply_may_be_closed_twice(self) -> None:
        async with self.asking(Scene.READY) as asking:
            for operation in asking.textual[:1]:
                for stream in (False, True):
                    reply = await asking.ask(operation, stream=stream)
                    await reply.aclose()
                    await reply.aclose()

    async def test_a_reply_that_was_read_may_be_closed(self) -> None:
        async with self.asking(Scene.READY) as asking:
            for operation in asking.textual[:1]:
                reply = await asking.ask(operation, stream=True)
                await reply.completion()
                await reply.aclose()
                assert asking.stage.working() == 0, "the runtime is still working when its answer was read"

    async def test_a_provider_may_be_closed_twice(self) -> None:
        async with self.asking(Scene.READY) as asking:
            await asking.provider.health()
            await asking.provider.aclose()
            await asking.provider.aclose()


async def until_working(asking: Asking, task: asyncio.Task[object]) -> None:
    """Wait, within the bound of the test, until the runtime has the request."""
    while not asking.stage.working():
        assert not task.done(), f"the request ended before the runtime answered: {task}"
        await asyncio.sleep(POLL_SECONDS)
