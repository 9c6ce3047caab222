"""Calls in an answer that a grammar holds to their shape: told while they are written."""

from __future__ import annotations

from llamafarm_universal.host.engines.text.parse.arguments import ArgumentsReader, arguments_reader
from llamafarm_universal.host.engines.text.parse.calls import Call, CallMarks, CallStage, Parameters
from llamafarm_universal.host.engines.text.parse.part import Part


class CallStreamStage(CallStage):
    """Tells each call as soon as its name is there, and its arguments as they come.

    An answer that is cut off within a call leaves what has come of its arguments; one that is cut off before its
    arguments is no call, and no text either.
    """

    def __init__(self, marks: CallMarks, parameters: Parameters) -> None:
        super().__init__(marks, parameters)
        self._shape = marks.shape
        self._arguments: ArgumentsReader | None = None

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
        self._arguments = arguments_reader(self._shape, self._parameters.get(name))
        return [Call(name, "").part(self._held.end)]

    def _read_arguments(self, reader: ArgumentsReader) -> list[Part] | None:
        reading = reader.read(self._held.text)
        if not reading.is_progress:
            return None
        self._held.drop(reading.size)
        if reading.ended:
            self._arguments = None
        return [Part("arguments", reading.json, self._held.end)] if reading.json else []
