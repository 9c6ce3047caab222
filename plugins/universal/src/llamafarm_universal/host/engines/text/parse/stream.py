"""Calls in an answer that a grammar holds to their shape: told while they are written."""

from __future__ import annotations

from llamafarm_universal.host.engines.text.parse.calls import Call, CallMarks, CallStage
from llamafarm_universal.host.engines.text.parse.part import Part
from llamafarm_universal.host.engines.text.parse.shape import CallShape


class CallStreamStage(CallStage):
    """Tells each call as soon as its name is there, and its arguments as they come.

    An answer that is cut off within a call leaves what has come of its arguments; one that is cut off before its
    arguments is no call, and no text either.
    """

    def __init__(self, marks: CallMarks, shape: CallShape) -> None:
        super().__init__(marks)
        self._shape = shape
        self._arguments: JsonEnd | None = None

    def finish(self) -> list[Part]:
        if self._inside:
            self._held.drop(len(self._held.text))
        return super().finish()

    def _close(self) -> list[Part] | None:
        """Go on within calls; None where more text is needed."""
        self._held.drop(len(self._opening))
        self._opening = ""
        return self._read_head() if self._arguments is None else self._read_arguments(self._arguments)

    def _read_head(self) -> list[Part] | None:
        text, close = self._held.text, self._shape.close.strip()
        name, begin = self._shape.name_in(text) or ("", len(text))
        at = text.find(close) if close else -1
        if 0 <= at < begin:
            self._held.drop(at + len(close))
            self._inside = False
            self._called = self._separating = True
            return []
        if not name:
            return None
        self._held.drop(begin)
        self._arguments = JsonEnd()
        return [Call(name, "").part(self._held.end)]

    def _read_arguments(self, end: JsonEnd) -> list[Part] | None:
        if not self._held.text:
            return None
        size = end.find(self._held.text)
        parts = self._held.take(len(self._held.text) if size is None else size, "arguments")
        if size is not None:
            self._arguments = None
        return parts


class JsonEnd:
    """Finds the end of a JSON object or list in text that comes in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def find(self, text: str) -> int | None:
        """How much of the next piece belongs to the value where it ends there; None where it goes on."""
        for index, sign in enumerate(text):
            self._take(sign)
            if self._depth == 0 and not self._in_string:
                return index + 1
        return None

    def _take(self, sign: str) -> None:
        if self._escaped:
            self._escaped = False
        elif self._in_string:
            self._escaped = sign == "\\"
            self._in_string = sign != '"'
        elif sign == '"':
            self._in_string = True
        else:
            self._depth += (sign in "{[") - (sign in "}]")
