"""Rows asked one by one or side by side, each with an outcome of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from llamafarm import all_of
from llamafarm.errors import (
    ContextLengthExceeded,
    InvalidRequest,
    LlamaFarmError,
    ProviderTimeout,
    RateLimited,
    RequestError,
    UpstreamError,
)

OF_A_ROW = (RequestError, InvalidRequest, ContextLengthExceeded, UpstreamError, ProviderTimeout, RateLimited)
"""Errors after which other rows may be answered; any other ends it all."""

Item = TypeVar("Item")


async def each_of(items: Sequence[Item], ask: Callable[[Item], Awaitable[None]], *, at_once: int) -> None:
    """Ask for each of them, the first one alone: a model is loaded once. at_once: so many side by side then.

    Raises what asking raises, when no other one is under way any more.
    """
    free = asyncio.Semaphore(at_once)

    async def asked(item: Item) -> None:
        async with free:
            await ask(item)

    for item in items[:1]:
        await asked(item)
    await all_of(asked(item) for item in items[1:])


def one_line(error: LlamaFarmError) -> str:
    """What an error says, with what to do about it."""
    return " ".join(str(error).split())


def reasons(failures: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    """Each reason once, with the lines of its rows."""
    lines: dict[str, list[int]] = {}
    for line, reason in failures:
        lines.setdefault(reason, []).append(line)
    return lines
