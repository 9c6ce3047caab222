"""Tool calls in an answer, as Hermes and Qwen models write them.

`<tool_call>{"name": …, "arguments": {…}}</tool_call>`
"""

from __future__ import annotations

import json
from typing import Any

from llamafarm_universal.server.parts import Call, Part, Text, held_back

OPEN = "<tool_call>"
CLOSE = "</tool_call>"


class ToolCallParser:
    """Cuts an answer that comes in pieces into text and calls.

    A call comes out when it is complete. What looks like a call and is none stays text. White space around calls only
    separates them, so that it is left out.
    """

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self._called = False
        self._separating = False

    def feed(self, text: str) -> list[Part]:
        """Return what has become certain with this piece."""
        self._held += text
        parts: list[Part] = []
        while (part := self._step()) is not None:
            parts += part
        return parts

    def finish(self) -> list[Part]:
        """Return what was held back, at the end of the answer; a call may do without its closing mark."""
        rest, self._held = self._held, ""
        call = read_call(rest.removeprefix(OPEN)) if self._inside else None
        if call is not None:
            return [call]
        return _texts(rest.rstrip() if self._called else rest)

    def _step(self) -> list[Part] | None:
        """Do what can be done with the text held so far; None where more is needed."""
        return self._close() if self._inside else self._open()

    def _open(self) -> list[Part] | None:
        if self._separating:
            self._held = self._held.lstrip()
        at = self._held.find(OPEN)
        if at >= 0:
            before, self._held = self._held[:at], self._held[at:]
            self._inside = True
            return _texts(before.rstrip())
        certain = len(self._held) - held_back(self._held, OPEN)
        certain = len(self._held[:certain].rstrip())  # white space counts only if no call follows
        if certain == 0:
            return None
        text, self._held = self._held[:certain], self._held[certain:]
        self._separating = False
        return _texts(text)

    def _close(self) -> list[Part] | None:
        at = self._held.find(CLOSE)
        while at >= 0:
            inside = self._held[len(OPEN) : at]
            if not _ends_in_string(inside):
                return self._cut(inside, at + len(CLOSE))
            at = self._held.find(CLOSE, at + 1)
        return None

    def _cut(self, inside: str, end: int) -> list[Part]:
        block, self._held = self._held[:end], self._held[end:]
        self._inside = False
        call = read_call(inside)
        if call is None:
            return [Text(block)]
        self._called = self._separating = True
        return [call]


def read_call(text: str) -> Call | None:
    """Return the call in a JSON text, None where it holds none: a name, and arguments that are an object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"]:
        return None
    arguments = _as_object(value.get("arguments", {}))
    return None if arguments is None else Call(value["name"], json.dumps(arguments, ensure_ascii=False))


def _as_object(arguments: Any) -> dict[str, Any] | None:
    """Some models write the arguments as a text that holds JSON."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return None
    return arguments if isinstance(arguments, dict) else None


def _ends_in_string(text: str) -> bool:
    """Whether a JSON text breaks off within a string: then the closing mark behind it belongs to the string."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated string")
    except RecursionError:
        return False
    return False


def _texts(text: str) -> list[Part]:
    return [Text(text)] if text else []
