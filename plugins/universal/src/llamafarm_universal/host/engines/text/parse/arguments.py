"""The arguments of a call, read while they are written, whatever notation they are in: as the JSON that they mean."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Protocol

from llamafarm_universal.host.engines.text.parse.json_text import JsonEnd, ends_in_string, parsed
from llamafarm_universal.host.engines.text.parse.part import held_back
from llamafarm_universal.host.engines.text.parse.shape import BareKeys, CallShape, Elements
from llamafarm_universal.json_schema import TEXT, is_one_of, property_types


@dataclass(frozen=True)
class Reading:
    """What has become certain of arguments.

    json: the next piece of them. size: how much of the text it was made of. ended: whether they are complete.
    """

    json: str = ""
    size: int = 0
    ended: bool = False

    @property
    def is_progress(self) -> bool:
        return self.ended or self.size > 0 or bool(self.json)


class ArgumentsReader(Protocol):
    """Reads the arguments of one call, of text that comes in pieces."""

    def read(self, text: str) -> Reading:
        """Read on. text: what comes behind what has been read; more of it is needed where there is no progress."""
        ...


def arguments_reader(shape: CallShape, parameters: Any) -> ArgumentsReader:
    """parameters: the JSON Schema of the tool that is called; None where it is unknown."""
    match shape.notation:
        case Elements() as elements:
            return ElementsReader(elements, parameters)
        case BareKeys(quote):
            return BareKeysReader(quote)
    return JsonReader()


class JsonReader:
    """A JSON object, which is passed on as it is."""

    def __init__(self) -> None:
        self._end = JsonEnd()

    def read(self, text: str) -> Reading:
        size = self._end.find(text)
        return Reading(text, len(text)) if size is None else Reading(text[:size], size, ended=True)


class ElementsReader:
    """Arguments that stand between marks.

    Nothing there says whether `7` is a number or a text: the tool's parameters do. Texts are told as they come, all
    other values when they are complete.
    """

    def __init__(self, elements: Elements, parameters: Any) -> None:
        self._elements = elements
        self._parameters = parameters
        self._types: frozenset[str] | None = None
        self._before = "{"
        self._read = self._next

    def read(self, text: str) -> Reading:
        return self._read(text)

    def _next(self, text: str) -> Reading:
        """Find the next argument, or that there is none."""
        start = text.lstrip()
        lead = self._elements.lead
        if not start.startswith(lead):
            at_end = "}" if self._before == ", " else "{}"
            return Reading() if lead.startswith(start) else Reading(at_end, ended=True)
        match = self._elements.pattern.match(start)
        if match is None:
            return Reading()
        key = f"{self._before}{json.dumps(match[1], ensure_ascii=False)}: "
        self._types = property_types(self._parameters, match[1])
        self._before, self._read = ", ", self._begin
        return Reading(key, len(text) - len(start) + match.end())

    def _begin(self, text: str) -> Reading:
        """Leave the white space out that is put before a value."""
        padding = self._elements.padding
        if not text:
            return Reading()
        is_text = self._types == TEXT
        self._read = self._text if is_text else self._value
        reading = Reading('"' if is_text else "", len(padding) if text.startswith(padding) else 0)
        return reading if reading.is_progress else self._value(text)

    def _text(self, text: str) -> Reading:
        at = text.find(self._elements.close)
        if at >= 0:
            return self._closed(_escaped(text[:at].removesuffix(self._elements.padding)) + '"', at)
        close = self._elements.close
        size = len(text) - held_back(text, [close, self._elements.padding + close])
        return Reading(_escaped(text[:size]), size)

    def _value(self, text: str) -> Reading:
        close, at = self._elements.close, -1
        while (at := text.find(close, at + 1)) >= 0:
            if not ends_in_string(text[:at]):
                return self._closed(self._written(text[:at].removesuffix(self._elements.padding)), at)
        return Reading()

    def _closed(self, written: str, at: int) -> Reading:
        self._read = self._next
        return Reading(written, at + len(self._elements.close))

    def _written(self, text: str) -> str:
        """A value as JSON: what reads as one of the types that it may have, and everything else as text."""
        value = parsed(text)
        is_json = value is not None or text.strip() == "null"
        fits = is_json and (self._types is None or is_one_of(self._types, value))
        return text.strip() if fits else json.dumps(text, ensure_ascii=False)


class BareKeysReader:
    """An object whose keys stand without quotes, and whose texts stand between two of one mark.

    What a model may write instead is read too: keys and texts in quotes, and texts in no quotes at all.
    """

    def __init__(self, quote: str) -> None:
        self._quote = quote
        self._opened: list[str] = []
        self._in_text = False
        self._key_comes = False

    def read(self, text: str) -> Reading:
        if self._in_text:
            return self._text(text)
        if text.startswith(self._quote):
            self._in_text, self._key_comes = True, False
            return Reading('"', len(self._quote))
        if not text or self._quote.startswith(text):
            return Reading()
        if text[0].isspace():
            return Reading("", len(text) - len(text.lstrip()))
        return self._sign(text[0]) if text[0] in "{}[],:" else self._word(text)

    def _text(self, text: str) -> Reading:
        at = text.find(self._quote)
        self._in_text = at < 0
        if at >= 0:
            return Reading(_escaped(text[:at]) + '"', at + len(self._quote))
        size = len(text) - held_back(text, [self._quote])
        return Reading(_escaped(text[:size]), size)

    def _sign(self, sign: str) -> Reading:
        if sign in "{[":
            self._opened.append(sign)
        elif sign in "}]":
            self._opened.pop()
        self._key_comes = sign in "{," and self._opened[-1:] == ["{"]
        return Reading(sign + (" " if sign in ",:" else ""), 1, ended=not self._opened)

    def _word(self, text: str) -> Reading:
        """A key, a number or the like, or a text in quotes or in none."""
        pattern = _QUOTED if text[0] == '"' else _BARE_KEY if self._key_comes else _BARE_VALUE
        match = pattern.match(text)
        if match is None or match.end() == len(text):
            return Reading()
        word = match[0].strip()
        is_json = not self._key_comes and (parsed(word) is not None or word == "null")
        self._key_comes = False
        is_written = is_json or pattern is _QUOTED
        return Reading(word if is_written else json.dumps(word, ensure_ascii=False), match.end())


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BARE_KEY = re.compile(r"[^:{}\[\],]+")
_BARE_VALUE = re.compile(r"[^{}\[\],]+")


def _escaped(text: str) -> str:
    """A piece of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
