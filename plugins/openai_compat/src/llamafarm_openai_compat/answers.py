"""Answers that are values, checked: as many results as were asked for, each of them what it should be.

Source of the two formats of vectors: OpenAI's API reference, "Create embeddings".
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any, cast

from llamafarm.wire import CLASSIFY, EMBEDDINGS, NER, RERANK, SCORE, Operation

_NUMBERS = re.compile(rb'"embedding"\s*:\s*\[\s*[-0-9][-+0-9.eE,\s]*\]')
_BASE64 = re.compile(rb'"embedding"\s*:\s*"[A-Za-z0-9+/]+=*"')

Check = Callable[[Mapping[str, Any], dict[str, Any]], str | None]
"""Of a request and its answer: what is wrong with the answer, after "answered with"."""


def wrong_with(operation: Operation, request: Mapping[str, Any], answer: dict[str, Any]) -> str | None:
    """What is wrong with an answer, in words that follow "answered with"; None where it is what was asked for."""
    check = _CHECKS.get(operation.name)
    return check(request, answer) if check else None


def are_vectors(request: Mapping[str, Any], content: bytes) -> bool:
    """Whether an answer of embeddings can be passed on unread: as many vectors as inputs, in the format asked for.

    False means that somebody has to look: it may be another format, a vector with a hole, or an error.
    """
    vector = _BASE64 if request.get("encoding_format") == "base64" else _NUMBERS
    if not content.startswith(b"{") or not content.rstrip().endswith(b"}") or b'"error"' in content:
        return False
    return sum(1 for _ in vector.finditer(content)) == _inputs(request["input"])


def _embeddings(request: Mapping[str, Any], answer: dict[str, Any]) -> str | None:
    """As many vectors as inputs; one in the other format than was asked for is written in that one."""
    rows = _items(answer, "data")
    write = _as_base64 if request.get("encoding_format") == "base64" else _as_floats
    try:
        for row in rows:
            row["embedding"] = write(row.get("embedding"))
    except (TypeError, ValueError, struct.error, OverflowError):
        return "a vector that is none"
    return _counted(len(rows), _inputs(request["input"]), "embeddings", "inputs")


def _as_base64(vector: Any) -> str:
    """Base64 of the float32 numbers, little-endian."""
    match vector:
        case [_, *_]:
            return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        case str() if vector:
            return vector
    raise TypeError


def _as_floats(vector: Any) -> list[float]:
    match vector:
        case [_, *_] if {*map(type, vector)} <= {float, int}:
            return cast("list[float]", vector)
        case str() if vector:
            content = base64.b64decode(vector, validate=True)
            return [*struct.unpack(f"<{len(content) // 4}f", content)]
    raise TypeError


def _inputs(value: Any) -> int:
    """How many inputs there are: a text, an object, and a list of token ids, are one."""
    return 1 if isinstance(value, str | dict) or (value and isinstance(value[0], int)) else len(value)


def _scores(request: Mapping[str, Any], answer: dict[str, Any]) -> str | None:
    rows = _items(answer, "data")
    if any(not _is_number(row.get("score")) for row in rows):
        return "a score that is no number"
    pairs = max(len(text) if isinstance(text, list) else 1 for text in (request["text_1"], request["text_2"]))
    return _counted(len(rows), pairs, "scores", "pairs of texts")


def _ranks(request: Mapping[str, Any], answer: dict[str, Any]) -> str | None:
    """The best `top_n`; a server that ranked all of them, whatever was asked, has its answer cut."""
    rows = _items(answer, "results")
    places = [row.get("index") for row in rows]
    count = len(request["documents"])
    if any(type(place) is not int or not 0 <= place < count for place in places) or len({*places}) < len(places):
        return "results whose `index` is no document, or one twice"
    if any(not _is_number(row.get("relevance_score")) for row in rows):
        return "a result without a `relevance_score`"
    wanted = min(request.get("top_n") or count, count)
    if len(rows) == count > wanted:
        answer["results"] = sorted(rows, key=lambda row: float(row["relevance_score"]), reverse=True)[:wanted]
        return None
    return _counted(len(rows), wanted, "results", "documents" if wanted == count else "that were asked for")


def _classes(request: Mapping[str, Any], answer: dict[str, Any]) -> str | None:
    """A class for each text. A server that does not know `candidate_labels` answers with classes of its own."""
    rows = _items(answer, "data")
    wanted = request.get("candidate_labels")
    for row in rows:
        probs = row.get("probs")
        if not isinstance(probs, list) or not probs or not all(map(_is_number, probs)):
            return "a class without `probs`"
        if wanted and (len(probs) != len(wanted) or row.get("label") not in wanted):
            return "classes of its own in place of `candidate_labels`"
    return _counted(len(rows), _inputs(request["input"]), "classes", "texts")


def _names(request: Mapping[str, Any], answer: dict[str, Any]) -> str | None:
    rows = _items(answer, "data")
    for row in rows:
        entities = row.get("entities")
        if not isinstance(entities, list) or not all(map(_is_entity, entities)):
            return "an entity that is none"
    return _counted(len(rows), _inputs(request["input"]), "lists of entities", "texts")


def _is_entity(value: Any) -> bool:
    wanted = {"label": str, "text": str, "start": int, "end": int}
    return isinstance(value, dict) and all(isinstance(value.get(name), kind) for name, kind in wanted.items())


def _items(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = answer.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _counted(came: int, wanted: int, what: str, of: str) -> str | None:
    return None if came == wanted else f"{came} {what} for {wanted} {of}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: Mapping[str, Check] = {
    EMBEDDINGS.name: _embeddings,
    RERANK.name: _ranks,
    SCORE.name: _scores,
    CLASSIFY.name: _classes,
    NER.name: _names,
}
