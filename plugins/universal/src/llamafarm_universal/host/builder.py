"""Loading models beside the host's main thread, one at a time: transformers changes global state meanwhile.

The thread ends when all is loaded, and with it the threads that have computed for it (`host/openmp.py`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from llamafarm_universal.catalogue import spec_of
from llamafarm_universal.device import release_memory
from llamafarm_universal.engine import Engine
from llamafarm_universal.failure import RequestFailed, explained
from llamafarm_universal.messages import Load

Made = TypeVar("Made")


@dataclass
class _Order:
    load: Load
    make: Callable[[], Any]
    built: Callable[[Any], None]
    failed: Callable[[RequestFailed], None]


class Builder:
    """post: runs a function on the main thread."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._orders: deque[_Order] = deque()
        self._builds = False  # whether the thread is there
        self._lock = threading.Lock()

    def build(self, load: Load, built: Callable[[Engine], None], failed: Callable[[RequestFailed], None]) -> None:
        """Load a model, then call `built` or `failed` on the main thread."""
        plan = load.plan
        self.make(load, lambda: spec_of(plan.engine, plan.task).load(plan, load.grant), built, failed)

    def make(
        self,
        load: Load,
        make: Callable[[], Made],
        built: Callable[[Made], None],
        failed: Callable[[RequestFailed], None],
    ) -> None:
        """Make something of a model's files, then call `built` with it, or `failed`, on the main thread."""
        with self._lock:
            self._orders.append(_Order(load, make, built, failed))
            if not self._builds:
                self._builds = True
                threading.Thread(target=self._build_all, name="builder", daemon=True).start()

    def _build_all(self) -> None:
        """In a thread."""
        while order := self._next():
            self._build(order)

    def _next(self) -> _Order | None:
        with self._lock:
            self._builds = bool(self._orders)
            return self._orders.popleft() if self._orders else None

    def _build(self, order: _Order) -> None:
        plan = order.load.plan
        try:
            made = order.make()
        except Exception as error:  # noqa: BLE001 - a model that does not load never ends the host
            failure = explained(error, f"loading `{plan.ref.id}`")
            release_memory(plan.device)
            self._post(lambda: order.failed(failure))
        else:
            self._post(lambda: order.built(made))
