"""Calls in a text that comes in pieces: between marks, in a block of code, or as a bare JSON object.

What could still become a call is held back; what turns out to be none goes on as text.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import regex

_KEYS = "name|function|tool_calls?|type|arguments|parameters"
_SPACE = r"\s{0,64}+"
_BARE = rf'(?P<json>[\[{{])(?={_SPACE}(?:\{{{_SPACE})?"(?:{_KEYS})")'
_FENCE = rf"```\w{{0,20}}+[ \t]{{0,8}}+(?:\r?\n{_SPACE})?+"
_LINE = r"^[ \t]{0,16}+"
_BEGIN = regex.compile(
    rf"(?P<tag><tool_call>){_SPACE}(?:{_FENCE})?(?P<json>[\[{{])|{_LINE}(?P<fence>{_FENCE}){_BARE}|{_LINE}{_BARE}",
    regex.MULTILINE,
)
_END_OF_TAG = regex.compile(rf"{_SPACE}(?:```{_SPACE})?</tool_call>")
_END_OF_FENCE = regex.compile(rf"{_SPACE}```")
_SPARE = 10_000
"""Characters that may be looked at in vain, beside twice the text: JSON that begins again and again and never ends
would be read again and again."""


@dataclass(frozen=True)
class Call:
    """arguments: a JSON text."""

    name: str
    arguments: str


class CallReader:
    """Reads one text. names: the functions that there are. calls: those that have come. left_out: characters of text
    behind the first call, which is what models make up of a result that they do not have.
    """

    def __init__(self, names: Collection[str]) -> None:
        self.calls: list[Call] = []
        self.left_out = 0
        self._names = names
        self._text = ""
        self._before = "\n"  # what was decided last: lines begin behind a line end
        self._begun: regex.Match[str] | None = None
        self._end = _JsonEnd()
        self._in_vain = -_SPARE

    def read(self, piece: str, *, last: bool) -> str:
        """What may be sent of the text when its next piece has come."""
        self._text += piece
        self._in_vain -= 2 * len(piece)
        sent = ""
        while self._text:
            text = self._go_on(last=last) if self._begun else self._seek(last=last)
            if text is None:
                break
            if self.calls:
                self.left_out += len(text.strip())
            else:
                sent += text
        return sent

    def _seek(self, *, last: bool) -> str | None:
        """The text before what may be a call; None where more must come."""
        whole = self._before + self._text
        if self._in_vain > 0:
            return self._taken(len(self._text))
        begun = _BEGIN.search(whole, len(self._before), partial=not last)
        start = begun.start() - len(self._before) if begun else len(self._text)
        if begun and not begun.partial:
            self._begun, self._end = begun, _JsonEnd()
        text = self._taken(start)
        return text if text or self._begun else None

    def _go_on(self, *, last: bool) -> str | None:
        """The text that what has begun turns out to be, empty for a call; None where more must come."""
        assert self._begun is not None
        start = self._begun.start("json") - self._begun.start()
        size = self._end.find(self._text, start)
        if size is None and not last:
            return None
        calls = [] if size is None else calls_in(self._text[start:size], self._names, any_name=self._is_tag)
        if not calls:
            self._begun = None
            self._in_vain += (size or len(self._text)) - start
            return self._taken(start + 1)
        closing = self._closing.match(self._text, size, partial=not last) if self._closing else None
        if closing and closing.partial:
            return None
        self._begun = None
        self._taken(closing.end() if closing else size or 0)
        self._before = "\n"  # another call may follow at once
        self.calls.extend(calls)
        return ""

    @property
    def _is_tag(self) -> bool:
        return bool(self._begun and self._begun["tag"])

    @property
    def _closing(self) -> regex.Pattern[str] | None:
        if self._is_tag:
            return _END_OF_TAG
        return _END_OF_FENCE if self._begun and self._begun["fence"] else None

    def _taken(self, size: int) -> str:
        text, self._text = self._text[:size], self._text[size:]
        self._before = text[-1:] or self._before
        return text


class _JsonEnd:
    """Finds where a JSON object or list ends in a text that grows."""

    def __init__(self) -> None:
        self._at = 0
        self._end: int | None = None
        self._depth = 0
        self._in_string = False
        self._is_escaped = False

    def find(self, text: str, start: int) -> int | None:
        """The place behind its end; None where it goes on. start: where it begins."""
        while self._end is None and (at := max(self._at, start)) < len(text):
            self._take(text[at])
            self._at = at + 1
            self._end = None if self._depth else self._at
        return self._end

    def _take(self, sign: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif self._in_string:
            self._is_escaped = sign == "\\"
            self._in_string = sign != '"'
        elif sign == '"':
            self._in_string = True
        else:
            self._depth += (sign in "{[") - (sign in "}]")


def calls_in(text: str, names: Collection[str], *, any_name: bool) -> list[Call]:
    """The calls that a JSON text is; none where it is anything else. any_name: also of functions that there are not."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if isinstance(value, dict):
        value = value.get("tool_calls", [value])
    calls = [_call(item) for item in value] if isinstance(value, list) else []
    are_calls = all(call is not None and (any_name or call.name in names) for call in calls)
    return [call for call in calls if call is not None] if are_calls else []


def _call(item: Any) -> Call | None:
    if not isinstance(item, dict):
        return None
    for wrapper in ("function", "tool_call"):
        if isinstance(item.get(wrapper), dict):
            item = item[wrapper]
    name = item.get("name")
    arguments = item.get("arguments", item.get("parameters"))
    if not isinstance(name, str) or arguments is None:
        return None
    return Call(name, arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False))
