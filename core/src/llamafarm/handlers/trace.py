"""The trace of a turn: what its stages say that they did."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any


class Trace:
    """The notes of one turn as rows of JSON: `stage`, `seconds` since the turn began, and the facts of the stage."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._began = time.perf_counter()

    def note(self, stage: str, facts: Mapping[str, Any]) -> None:
        """Add one note."""
        self.rows.append({"stage": stage, "seconds": round(time.perf_counter() - self._began, 6), **facts})
