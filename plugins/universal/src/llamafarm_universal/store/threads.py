"""Blocking work beside the store's event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Do a work in a thread of its own: downloads, which last, leave no worker of a pool to what is short."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where the work is waited for
            loop.call_soon_threadsafe(_settle, ended.set_exception, ended, error)
        else:
            loop.call_soon_threadsafe(_settle, ended.set_result, ended, result)

    threading.Thread(target=run, daemon=True).start()
    return ended


def _settle(settle: Callable[..., None], ended: asyncio.Future[T], outcome: object) -> None:
    if not ended.done():  # else nobody waits any more
        settle(outcome)
