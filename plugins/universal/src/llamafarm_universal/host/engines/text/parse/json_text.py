"""JSON within a text that may break off anywhere."""

from __future__ import annotations

import json
from typing import Any


def parsed(text: str) -> Any:
    """A JSON text's value; None where it is none."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def ends_in_string(text: str) -> bool:
    """Whether the JSON in a text breaks off within a string: then the mark behind it belongs to the string."""
    start = text.find("[") if text.lstrip().startswith("[") else max(text.find("{"), 0)
    try:
        json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated string")
    except RecursionError:
        return False
    return False


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
