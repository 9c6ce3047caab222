"""Threads that read and write models' files: whoever deletes these waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Threads:
    """Those that are alive, by the model that they work on. Used on one thread alone."""

    def __init__(self) -> None:
        self._threads: list[tuple[str, threading.Thread]] = []

    def start(self, model: str, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, name=target.__name__, daemon=True)
        self._threads = [(name, one) for name, one in self._threads if one.is_alive()]
        self._threads.append((model, thread))
        thread.start()

    def of(self, model: str) -> list[threading.Thread]:
        return [thread for name, thread in self._threads if name == model]
