"""Reasoning in an answer: `<think>…</think>` at its very beginning."""

from __future__ import annotations

from typing import Literal

from llamafarm_universal.server.parts import Part, Reasoning, Text, held_back

OPEN = "<think>"
CLOSE = "</think>"


class ReasoningParser:
    """Cuts an answer that comes in pieces into what was thought and what is said."""

    def __init__(self) -> None:
        self._held = ""
        self._state: Literal["beginning", "opened", "thinking", "after", "answering"] = "beginning"

    def feed(self, text: str) -> list[Part]:
        """Return what has become certain with this piece."""
        self._held += text
        parts: list[Part] = []
        if self._state == "beginning":
            self._begin()
        if self._state == "opened":
            self._held = self._held.lstrip("\n")
            self._state = "thinking" if self._held else "opened"
        if self._state == "thinking":
            parts += self._think()
        if self._state == "after":
            self._held = self._held.lstrip()
            self._state = "answering" if self._held else "after"
        if self._state == "answering" and self._held:
            parts.append(Text(self._take(len(self._held))))
        return parts

    def finish(self) -> list[Part]:
        """Return what was held back, at the end of the answer."""
        if not self._held:
            return []
        rest = self._take(len(self._held))
        return [Reasoning(rest) if self._state == "thinking" else Text(rest)]

    def _begin(self) -> None:
        start = self._held.lstrip()
        if start.startswith(OPEN):
            self._held, self._state = start.removeprefix(OPEN), "opened"
        elif not OPEN.startswith(start):
            self._state = "answering"

    def _think(self) -> list[Part]:
        thought, mark, rest = self._held.partition(CLOSE)
        if mark:
            self._held, self._state = rest, "after"
            return [Reasoning(thought)] if thought else []
        certain = self._take(len(self._held) - held_back(self._held, CLOSE))
        return [Reasoning(certain)] if certain else []

    def _take(self, count: int) -> str:
        taken, self._held = self._held[:count], self._held[count:]
        return taken
