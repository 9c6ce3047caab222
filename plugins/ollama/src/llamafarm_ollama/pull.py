"""The progress of a pull.

Source: Ollama's API (0.33), "Pull a model": `status` says what happens, layers have `digest`, `total` and, once some of
it is there, `completed`; the last line is `success`. What is missing comes as a line with `error`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm.providers.base import Progress


class Pull:
    """Adds up the layers of one pull, in bytes."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._done: dict[str, int] = {}
        self._total: dict[str, int] = {}
        self.complete = False

    def read(self, line: Mapping[str, Any]) -> Progress:
        """What a line tells."""
        status = str(line.get("status") or "pulling")
        if digest := line.get("digest"):
            self._total[digest] = int(line.get("total") or 0)
            self._done[digest] = max(self._done.get(digest, 0), int(line.get("completed") or 0))
        if status == "success":
            self.complete = True
            return Progress("ready", f"{self._model} is there")
        if not self._total:
            return Progress("downloading", f"{self._model}: {status}")
        return Progress("downloading", f"{self._model}: {status}", sum(self._done.values()), sum(self._total.values()))
