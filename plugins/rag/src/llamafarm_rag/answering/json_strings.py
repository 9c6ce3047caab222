"""The strings of a JSON text, told while the text comes."""

from __future__ import annotations

from collections.abc import Iterator


class JsonStrings:
    """Reads one text; one that is not valid is read as far as its quotes go."""

    def __init__(self) -> None:
        self._is_inside = False
        self._is_escaped = False

    def read(self, piece: str) -> Iterator[tuple[str, bool, bool]]:
        """The parts of a piece: each with whether it stands in a string, and whether that ends with it."""
        begin = 0
        for at, character in enumerate(piece):
            if self._is_escaped:
                self._is_escaped = False
            elif self._is_inside and character == "\\":
                self._is_escaped = True
            elif character == '"':
                yield piece[begin:at], self._is_inside, self._is_inside
                self._is_inside = not self._is_inside
                begin = at
                if self._is_inside:
                    yield character, False, False
                    begin = at + 1
        if begin < len(piece):
            yield piece[begin:], self._is_inside, False
