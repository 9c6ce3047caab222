"""A part of an answer, and how parts are looked for in text that comes in pieces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from llamafarm_universal.messages import Channel


@dataclass(frozen=True)
class Part:
    """Text of one channel. end: how many characters the model had written where it ends, marks included."""

    channel: Channel
    text: str
    end: int


class Stage(Protocol):
    """Looks through the parts of the stage before it. What it is not sure of, it holds back."""

    def feed(self, part: Part) -> list[Part]:
        """What has become certain with one more part."""
        ...

    def finish(self) -> list[Part]:
        """What was held back, at the end of the answer."""
        ...


class Held:
    """Text that a stage holds back, and where it ends in what the model has written."""

    def __init__(self) -> None:
        self.text = ""
        self._end = 0

    def add(self, part: Part) -> None:
        self.text += part.text
        self._end = part.end

    def take(self, count: int, channel: Channel = "text") -> list[Part]:
        """Take the first `count` characters out, as a part; none where that is no text."""
        taken, self.text = self.text[:count], self.text[count:]
        return [Part(channel, taken, self.end)] if taken else []

    def drop(self, count: int) -> None:
        """Leave the first `count` characters out: marks, and white space around them."""
        self.text = self.text[count:]

    def drop_space(self, characters: str | None = None) -> None:
        self.text = self.text.lstrip(characters)

    @property
    def end(self) -> int:
        """Where what has been taken out ends."""
        return self._end - len(self.text)


def held_back(text: str, marks: Iterable[str]) -> int:
    """How many of the last characters of `text` could be the beginning of a mark."""
    return max((_overlap(text, mark) for mark in marks), default=0)


def first_of(text: str, marks: Iterable[str], start: int = 0) -> tuple[int, str] | None:
    """Where the first of the marks stands in a text, and which it is."""
    places = [(place, mark) for mark in marks if (place := text.find(mark, start)) >= 0]
    return min(places, default=None)


def _overlap(text: str, mark: str) -> int:
    """The length of the longest end of `text` that is a beginning of `mark`, but not all of it."""
    return next((size for size in range(min(len(mark) - 1, len(text)), 0, -1) if text.endswith(mark[:size])), 0)
