"""Tool calls in an answer: found by their marks, and read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llamafarm_universal.host.engines.text.parse.json_text import parsed
from llamafarm_universal.host.engines.text.parse.part import Held, Part, first_of, held_back
from llamafarm_universal.host.engines.text.parse.shape import CallShape


@dataclass(frozen=True)
class Call:
    """One tool call. arguments: a JSON text, an object."""

    name: str
    arguments: str

    def part(self, end: int) -> Part:
        """The call as a part of an answer: a JSON text."""
        text = json.dumps({"name": self.name, "arguments": self.arguments}, ensure_ascii=False)
        return Part("tool_call", text, end)


Parameters = Mapping[str, Any]
"""The JSON Schemas of the tools' parameters, by the tools' names."""
Read = Callable[[str, CallShape, Parameters], list[Call]]
"""Reads what stands between two marks; nothing where that is no call."""


@dataclass(frozen=True)
class CallMarks:
    """How calls are marked. close: None where they go on to the next opening mark, or to the end of the answer.

    shape: how calls are written in full. inner: further marks, which the reader needs. bare: whether an answer may also
    be a call without any mark.
    """

    open: str
    close: str | None
    read: Read
    shape: CallShape
    inner: tuple[str, ...] = ()
    bare: bool = False

    @property
    def ends(self) -> tuple[str, ...]:
        return (self.open,) if self.close is None else (self.close,)


class CallStage:
    """Tells calls from what is said.

    Calls come out when they are complete. What looks like one and is none stays text. White space around calls only
    separates them, so that it is left out.
    """

    def __init__(self, marks: CallMarks, parameters: Parameters) -> None:
        self._marks = marks
        self._parameters = parameters
        self._held = Held()
        self._opening = marks.open
        self._inside = False
        self._begins = marks.bare
        self._called = False
        self._separating = False

    def feed(self, part: Part) -> list[Part]:
        if part.channel != "text":
            return [part]
        self._held.add(part)
        parts: list[Part] = []
        while (more := self._close() if self._inside else self._open()) is not None:
            parts += more
        return parts

    def finish(self) -> list[Part]:
        """What was held back, at the end of the answer; a call may do without its closing mark."""
        text = self._held.text
        if self._inside and (calls := self._read(text[len(self._opening) :])):
            self._held.drop(len(text))
            return [call.part(self._held.end) for call in calls]
        return self._held.take(len(text.rstrip()) if self._called else len(text))

    def _open(self) -> list[Part] | None:
        """Find the next opening mark; None where more text is needed."""
        if self._separating:
            self._held.drop_space()
        if self._begins and (decided := self._begins_bare()) is not False:
            return self._enter(0, "") if decided else None
        text, mark = self._held.text, self._marks.open
        at = text.find(mark)
        if at >= 0:
            return self._enter(at, mark)
        certain = len(text[: len(text) - held_back(text, [mark])].rstrip())  # white space counts if no call follows
        self._separating = self._separating and not certain
        return self._held.take(certain) or None

    def _begins_bare(self) -> bool | None:
        """Whether the answer begins with a call that has no mark; None where more text is needed."""
        start = "".join(self._held.text.split())
        decided = True if start.startswith(_BARE) else None if any(bare.startswith(start) for bare in _BARE) else False
        self._begins = decided is None
        return decided

    def _enter(self, at: int, mark: str) -> list[Part]:
        """Go into a call that is opened there; returns the text before it."""
        said = self._held.text[:at].rstrip()
        self._opening = self._held.text[len(said) : at + len(mark)]  # with the space before: there may be no call
        self._inside, self._begins = True, False
        return self._held.take(len(said))

    def _close(self) -> list[Part] | None:
        """Find the end of the call; None where more text is needed."""
        text, start = self._held.text, len(self._opening)
        while found := first_of(text, self._marks.ends, start):
            at, mark = found
            if not self._marks.shape.ends_within(text[len(self._opening) : at]):
                return self._cut(at, len(mark) if self._marks.close else 0)
            start = at + 1
        return None

    def _cut(self, at: int, closing: int) -> list[Part]:
        self._inside = False
        calls = self._read(self._held.text[len(self._opening) : at])
        if not calls:
            return self._held.take(at + closing)
        self._held.drop(at + closing)
        self._called = self._separating = True
        return [call.part(self._held.end) for call in calls]

    def _read(self, text: str) -> list[Call]:
        return self._marks.read(text, self._marks.shape, self._parameters)


_BARE = ('{"name":', '{"type":"function","name":', '{"type":"function","function":')
"""How a call without a mark begins, white space left out."""


def call_of(value: Any) -> Call | None:
    """The call in a JSON value: a name, and arguments that are an object or a text that holds one."""
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"]:
        return None
    arguments = _as_object(value.get("arguments", value.get("parameters", {})))
    return None if arguments is None else Call(value["name"], json.dumps(arguments, ensure_ascii=False))


def _as_object(arguments: Any) -> dict[str, Any] | None:
    """Some models write the arguments as a text that holds JSON."""
    if isinstance(arguments, str):
        arguments = parsed(arguments)
    return arguments if isinstance(arguments, dict) else None
