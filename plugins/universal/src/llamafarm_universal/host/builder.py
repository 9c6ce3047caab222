"""Loading models beside the host's main thread, one at a time: transformers changes global state meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

from llamafarm_universal.catalogue import spec_of
from llamafarm_universal.device import release_memory
from llamafarm_universal.engine import Engine
from llamafarm_universal.failure import RequestFailed, explained
from llamafarm_universal.messages import Load


@dataclass
class _Order:
    load: Load
    built: Callable[[Engine], None]
    failed: Callable[[RequestFailed], None]


class Builder:
    """post: runs a function on the main thread."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._orders: SimpleQueue[_Order] = SimpleQueue()
        threading.Thread(target=self._build_all, name="builder", daemon=True).start()

    def build(self, load: Load, built: Callable[[Engine], None], failed: Callable[[RequestFailed], None]) -> None:
        """Load a model, then call `built` or `failed` on the main thread."""
        self._orders.put(_Order(load, built, failed))

    def _build_all(self) -> None:
        """In a thread."""
        while True:
            self._build(self._orders.get())

    def _build(self, order: _Order) -> None:
        plan = order.load.plan
        try:
            engine = spec_of(plan.engine, plan.task).load(plan, order.load.grant)
        except Exception as error:  # noqa: BLE001 - a model that does not load never ends the host
            failure = explained(error, f"loading `{plan.ref.id}`")
            release_memory(plan.device)
            self._post(lambda: order.failed(failure))
        else:
            self._post(lambda: order.built(engine))
