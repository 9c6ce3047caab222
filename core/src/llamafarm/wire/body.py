"""JSON texts, read strictly: duplicate keys and NaN are refused, because two readers would disagree about them."""

from __future__ import annotations

import json
import json.decoder
import json.scanner
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat
from typing import Any, NoReturn


class BodyError(ValueError):
    """The text is not the JSON object that was asked for; the message says why."""


LARGE = 64 * 1024
"""Texts of so many characters are read and written patiently, since that is done beside an event loop."""
MAX_DEPTH = 200
"""How deeply objects and lists may lie in one another; more is never meant, and who writes it again would stumble."""
PIECE = 2**18
"""So many characters of a string are read or written at once."""
ITEMS = 4096
"""So many items of a list are written at once."""
MAX_PARTS = 100_000
"""How many objects and lists a large text may hold: each takes microseconds, and millions of them a long time."""
TOO_DEEP = f"The body is nested too deeply: more than {MAX_DEPTH} objects and lists in one another."


def parse_object(text: bytes | str) -> dict[str, Any]:
    """Return the JSON object in `text`.

    Raises BodyError where it is not UTF-8, not JSON, not an object, nested too deeply, or says a key twice.
    """
    try:
        characters = text if isinstance(text, str) else text.decode(json.detect_encoding(text), "surrogatepass")
        value = (_DECODER if len(characters) < LARGE else _PatientDecoder()).decode(characters)
    except UnicodeDecodeError as error:
        raise BodyError(f"The body is not UTF-8: byte {error.start} cannot be decoded.") from None
    except json.JSONDecodeError as error:
        raise BodyError(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except BodyError:
        raise
    except ValueError:  # Python's guard against numbers whose conversion would take minutes
        raise BodyError("The body holds a number with too many digits.") from None
    except RecursionError:
        raise BodyError(TOO_DEEP) from None
    if len(characters) < LARGE and is_too_deep(text, value):
        raise BodyError(TOO_DEEP)
    if not isinstance(value, dict):
        raise BodyError(f"The body must be a JSON object, not {_kind(value)}.")
    return value


def is_too_deep(text: bytes | str, value: Any) -> bool:
    """Whether `value`, which `text` was read as, holds objects and lists more than MAX_DEPTH deep in one another."""
    brackets = text.count(b"{") + text.count(b"[") if isinstance(text, bytes) else text.count("{") + text.count("[")
    if brackets <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH):
        parents = [node for node in level if isinstance(node, dict | list)]
        level = [child for node in parents for child in (node.values() if isinstance(node, dict) else node)]
    return any(isinstance(node, dict | list) for node in level)


def dump(value: Any) -> bytes:
    """Return `value` as compact UTF-8 JSON; half a surrogate pair, which UTF-8 cannot hold, stays an escape."""
    try:
        return _write(value).encode()
    except UnicodeEncodeError:
        return _write_ascii(value).encode()


def dump_patiently(value: Any) -> bytes:
    """Return what `dump` does, and let other threads run meanwhile, which the encoder in C does not."""
    try:
        return b"".join(piece.encode() for piece in _pieces(value, _write))
    except UnicodeEncodeError:
        return b"".join(piece.encode() for piece in _pieces(value, _write_ascii))


def is_large(value: Any) -> bool:
    """Whether the JSON text of `value` may have more than LARGE characters; no more of it is looked at than that."""
    left, nodes = LARGE, [value]
    while nodes and left >= 0:
        node = nodes.pop()
        if isinstance(node, dict | list):
            left -= _ITEM * len(node)
            items = node.values() if isinstance(node, dict) else node
            nodes += [item for item in items if isinstance(item, _PARENTS)] if left >= 0 else ()
        elif isinstance(node, str):
            left -= len(node)
    return left < 0


_ITEM = 8
"""So many characters are taken for an item beside its own text."""
_PARENTS = (str, dict, list)
"""What may be long."""
_write = partial(json.dumps, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_write_ascii = partial(json.dumps, separators=(",", ":"), allow_nan=False)


def _pieces(value: Any, write: Callable[[Any], str]) -> Iterator[str]:
    """The text of a value: what is small as a whole, what is large piece by piece."""
    if not is_large(value):
        yield write(value)
    elif isinstance(value, str):
        yield '"'
        yield from (write(value[at : at + PIECE])[1:-1] for at in range(0, len(value), PIECE))
        yield '"'
    elif isinstance(value, dict):
        for before, (key, item) in zip(chain("{", repeat(",")), value.items(), strict=False):
            yield before + write({key: 0})[1:-2]
            yield from _pieces(item, write)
        yield "}"
    else:
        for before, at in zip(chain("[", repeat(",")), range(0, len(value), ITEMS), strict=False):
            yield before
            yield from _items(value[at : at + ITEMS], write)
        yield "]"


def _items(items: list[Any], write: Callable[[Any], str]) -> Iterator[str]:
    """The text of some items of a list: in one go where they are small, else each by itself."""
    if not is_large(items):
        yield write(items)[1:-1]
        return
    for number, item in enumerate(items):
        yield "," if number else ""
        yield from _pieces(item, write)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise BodyError(f"The key {key!r} stands twice in one object.")
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise BodyError(f"{name} is not JSON.")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise BodyError(f"The number {text[:40]} is too large.")
    return value


class _PatientDecoder(json.JSONDecoder):
    """Lets other threads run while it reads, which the decoder in C does not: millions of numbers take it a second.

    It is the one in Python of the standard library, except that numbers in a row are read some thousand at a time, long
    strings piece by piece, and that it reads one text of at most MAX_PARTS objects and lists.
    """

    def __init__(self) -> None:
        super().__init__(**_HOOKS)
        self._parts = 0
        self._depth = 0
        self.parse_string = _read_string
        self.parse_array = partial(self._read, _read_array)
        self.parse_object = partial(self._read, self.parse_object)  # type: ignore[has-type]
        self.scan_once = json.scanner.py_make_scanner(self)  # type: ignore[attr-defined]

    def _read(self, read: Callable[..., Any], *arguments: Any) -> Any:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise BodyError(f"The body holds more than {MAX_PARTS:,} objects and lists.")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BodyError(TOO_DEEP)
        value = read(*arguments)
        self._depth -= 1
        return value


_NUMBERS = re.compile(r"(?:-?(?:0|[1-9][0-9]{0,17})[ \t\r\n]*,[ \t\r\n]*){1,4096}(?![ \t\r\n\]])")
"""Whole numbers, each with the comma after it; a comma before the end of the list is left to whoever reports it."""


def _read_array(place: tuple[str, int], *arguments: Any) -> tuple[list[Any], int]:
    text, at = place
    numbers: list[Any] = []
    while run := _NUMBERS.match(text, at):
        numbers += json.loads(f"[{run[0].rstrip()[:-1]}]")
        at = run.end()
    rest, end = json.decoder.JSONArray((text, at), *arguments)  # type: ignore[attr-defined]
    numbers += rest
    return numbers, end


_scan: Callable[[str, int, bool], tuple[str, int]] = json.decoder.scanstring  # type: ignore[attr-defined]


def _read_string(text: str, at: int, strict: bool = True) -> tuple[str, int]:
    """A long string without escapes, as pictures are, is read piece by piece; others at once, errors included."""
    begin, pieces = at, list[str]()
    while (end := text.find('"', at, at + PIECE)) < 0 and at < len(text):
        pieces.append(text[at : at + PIECE])
        at += PIECE
    if end < 0 or not pieces or any("\\" in piece for piece in pieces):
        return _scan(text, begin, strict)
    pieces.append(text[at:end])
    try:
        return "".join(_scan(f'{piece}"', 0, strict)[0] for piece in pieces), end + 1
    except json.JSONDecodeError:
        return _scan(text, begin, strict)


_HOOKS: dict[str, Any] = {"object_pairs_hook": _unique, "parse_constant": _refuse_constant, "parse_float": _finite}
_DECODER = json.JSONDecoder(**_HOOKS)


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}
    return names.get(type(value), type(value).__name__)


@dataclass(frozen=True)
class Unparsed:
    """A whole JSON answer, checked as far as it must be to be passed on as it came. content: its bytes."""

    content: bytes = field(repr=False)

    def parsed(self) -> Any:
        """The object that the bytes are."""
        return json.loads(self.content)


def parsed(answer: Any) -> Any:
    """The answer object, also of one that is there as its bytes alone."""
    return answer.parsed() if isinstance(answer, Unparsed) else answer
