"""The progress of a pull.

Source: Ollama's API (0.33), "Pull a model": `status` says what happens; layers come one after the other, each with its
`digest`, its `total` and, once some of it is there, `completed`; the last line is `success`. How many layers there are,
it does not say. What is missing comes as a line with `error`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm import Progress

SHOWN = 12
"""Digits of a digest that Ollama shows."""


class Pull:
    """Counts the layers of one pull, and the bytes of each."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._done: dict[str, int] = {}
        self.complete = False

    def read(self, line: Mapping[str, Any]) -> Progress:
        """What a line tells."""
        status = str(line.get("status") or "pulling")
        if status == "success":
            self.complete = True
            return Progress("ready", f"{self.model} is there")
        digest, text = line.get("digest"), f"{self.model}: {status}"
        return self._layer(str(digest), line, text) if digest else Progress("downloading", text)

    def _layer(self, digest: str, line: Mapping[str, Any], text: str) -> Progress:
        """How much of a layer is there; what was there never shrinks."""
        done = self._done[digest] = max(self._done.get(digest, 0), int(line.get("completed") or 0))
        file = digest.rpartition(":")[2][:SHOWN]
        index = [*self._done].index(digest) + 1
        return Progress("downloading", text, done, int(line.get("total") or 0), file, index)
