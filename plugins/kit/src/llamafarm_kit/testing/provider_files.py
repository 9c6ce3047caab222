"""The part of the provider contract that is about optional methods: fetching and deleting models, counting tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from llamafarm import Call, CountsTextTokens, CountsTokens
from llamafarm.errors import LlamaFarmError
from llamafarm.wire import ChatRequest

from llamafarm_kit.testing.provider_closing import until_working
from llamafarm_kit.testing.provider_failures import SOON, check_class
from llamafarm_kit.testing.provider_setup import Asking, ProviderSetup
from llamafarm_kit.testing.scenes import Scene

Work = Callable[[Call], Awaitable[None]]
FAILING = (Scene.DOWN, Scene.GARBAGE, Scene.UNAUTHORIZED, Scene.FAILED)


class ProviderFiles(ProviderSetup):
    """`pull`, `remove`, `count_tokens` and `count_text_tokens`, where the provider has them: done, or an error."""

    @pytest.mark.parametrize("scene", FAILING, ids=str)
    async def test_a_model_that_cannot_be_fetched_or_deleted_is_an_error(self, scene: Scene) -> None:
        async with self.asking(scene) as asking:
            for work in _works(asking):
                check_class(await _failure(work(_call(asking))), scene)

    async def test_the_deadline_of_a_pull_and_of_a_removal_is_kept(self) -> None:
        async with self.asking(Scene.SILENT) as asking:
            for work in _works(asking):
                deadline = asyncio.get_running_loop().time() + SOON
                check_class(await _failure(work(_call(asking, deadline))), Scene.SILENT)

    async def test_cancelling_a_pull_ends_the_runtimes_work(self) -> None:
        async with self.asking(Scene.SILENT) as asking:
            for work in _works(asking)[:1]:
                task = asyncio.ensure_future(work(_call(asking)))
                await until_working(asking, task)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled(), f"the pull went on when it was cancelled: {task}"
                assert asking.stage.working() == 0, "the runtime is still working for a pull that was cancelled"

    @pytest.mark.parametrize("scene", (*FAILING, Scene.SILENT), ids=str)
    async def test_counting_tokens_fails_as_a_chat_does(self, scene: Scene) -> None:
        """A number that was made up would have a prompt cut, or refused, for nothing."""
        async with self.asking(scene) as asking:
            if isinstance(asking.provider, CountsTokens):
                deadline = asyncio.get_running_loop().time() + SOON if scene is Scene.SILENT else None
                question: ChatRequest = {
                    "model": asking.entry.model,
                    "messages": [{"role": "user", "content": "Hello"}],
                }
                check_class(await _failure(asking.provider.count_tokens(question, _call(asking, deadline))), scene)

    @pytest.mark.parametrize("scene", (*FAILING, Scene.SILENT), ids=str)
    async def test_counting_the_tokens_of_texts_fails_as_a_chat_does(self, scene: Scene) -> None:
        """Numbers that were made up would have texts cut where nobody wants it."""
        async with self.asking(scene) as asking:
            if isinstance(asking.provider, CountsTextTokens):
                deadline = asyncio.get_running_loop().time() + SOON if scene is Scene.SILENT else None
                counting = asking.provider.count_text_tokens(["Hello", "a text"], _call(asking, deadline))
                check_class(await _failure(counting), scene)


def _works(asking: Asking) -> list[Work]:
    """What the provider can do of the two; fetching first."""
    found = [getattr(asking.provider, name, None) for name in ("pull", "remove")]
    return [work for work in found if callable(work)]


def _call(asking: Asking, deadline: float | None = None) -> Call:
    return Call(asking.entry, "contract-request", deadline)


async def _failure(work: Awaitable[object]) -> LlamaFarmError:
    try:
        await work
    except LlamaFarmError as error:
        return error
    raise AssertionError("it was taken for done, where the runtime has done nothing")
