"""Asking again where that may help: a runtime that is busy, not up yet, or has just been started anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

from llamafarm.errors import ProviderError, ProviderUnavailable, RateLimited, UpstreamError
from llamafarm.http import NEVER_RETRIED

FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
"""Seconds between two tries where the runtime does not say how long; each wait is twice as long as the last one."""
FAILED_TRIES = 3
"""How often a runtime is asked that fails without saying that it may be otherwise later."""
Answer = TypeVar("Answer")


async def patiently(
    ask: Callable[[], Awaitable[Answer]],
    seconds: float,
    wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Answer:
    """What `ask` answers, which is asked again as long as all waits together take no more than so many seconds.

    Raises the last error of `ask`; at once one that asking again does not mend.
    """
    tries = 0
    while True:
        try:
            return await ask()
        except ProviderError as error:
            tries += 1
            pause = _pause(error, tries)
            if pause is None or pause > seconds:
                raise
            seconds -= pause
        await wait(pause)


def _pause(error: ProviderError, tries: int) -> float | None:
    """Seconds until it is worth asking again; None where it never is."""
    if error.code in NEVER_RETRIED or not _may_pass(error, tries):
        return None
    if error.retry_after is not None:
        return error.retry_after
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (tries - 1))


def _may_pass(error: ProviderError, tries: int) -> bool:
    if isinstance(error, RateLimited | ProviderUnavailable):
        return True
    return (
        isinstance(error, UpstreamError) and error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and tries < FAILED_TRIES
    )
