"""Reasoning in an answer: what stands between two marks at its very beginning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llamafarm_universal.host.engines.text.parse.part import Held, Part, held_back


@dataclass(frozen=True)
class ThinkingMarks:
    """What reasoning stands between. inner: tokens that an opening mark is made of, with text around them."""

    open: str
    close: str
    inner: tuple[str, ...] = ()

    def opened_by(self, prompt_end: str) -> bool:
        """Whether a prompt ends within reasoning, as many templates have it."""
        return prompt_end.rstrip().endswith(self.open)

    def closed_by(self, prompt_end: str) -> bool:
        """Whether a prompt has the reasoning behind it: a template that switches it off writes an empty one."""
        return prompt_end.rstrip().endswith(self.close)


class ThinkingStage:
    """Tells what is thought from what is said.

    opened: the prompt ends with the opening mark already, as many templates have it.
    """

    def __init__(self, marks: ThinkingMarks, *, opened: bool = False) -> None:
        self._marks = marks
        self._held = Held()
        self._state: Literal["beginning", "opened", "thinking", "after", "answering"] = "beginning"
        if opened:
            self._state = "opened"

    def feed(self, part: Part) -> list[Part]:
        if self._state == "answering":
            return [part]
        self._held.add(part)
        if self._state == "beginning":
            self._begin()
        if self._state == "opened":
            self._held.drop_space("\n")
            self._state = "thinking" if self._held.text else "opened"
        thought = self._think() if self._state == "thinking" else []
        return thought + self._answer()

    def finish(self) -> list[Part]:
        return self._held.take(len(self._held.text), "reasoning" if self._state == "thinking" else "text")

    def _begin(self) -> None:
        start, mark = self._held.text.lstrip(), self._marks.open
        if start.startswith(mark):
            self._held.drop_space()
            self._held.drop(len(mark))
            self._state = "opened"
        elif not mark.startswith(start):
            self._state = "answering"

    def _think(self) -> list[Part]:
        text, mark = self._held.text, self._marks.close
        at = text.find(mark)
        if at < 0:
            return self._held.take(len(text) - held_back(text, [mark]), "reasoning")
        thought = self._held.take(at, "reasoning")
        self._held.drop(len(mark))
        self._state = "after"
        return thought

    def _answer(self) -> list[Part]:
        if self._state == "after":
            self._held.drop_space()
            self._state = "answering" if self._held.text else "after"
        return self._held.take(len(self._held.text)) if self._state == "answering" else []
