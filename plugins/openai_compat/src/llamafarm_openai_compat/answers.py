"""Answers that are values, checked: as many results as were asked for, each of them what it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llamafarm import EMBEDDINGS, RERANK, SCORE, Operation

Check = Callable[[Mapping[str, Any], dict[str, Any]], str | None]
"""Of a request and its answer: what is wrong with the answer, after "answered with"."""


def wrong_with(operation: Operation, request: Mapping[str, Any], answer: dict[str, Any]) -> str | None:
    """What is wrong with an answer, in words that follow "answered with"; None where it is what was asked for."""
    check = _CHECKS.get(operation.name)
    return check(request, answer) if check else None


def _embeddings(request: Mapping[str, Any], answer: dict[str, Any]) -> str | None:
    return _counted(len(_items(answer, "data")), _inputs(request["input"]), "embeddings", "inputs")


def _inputs(value: Any) -> int:
    """How many texts there are: a text, and a list of token ids, are one."""
    return 1 if isinstance(value, str) or (value and isinstance(value[0], int)) else len(value)


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


def _items(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = answer.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _counted(came: int, wanted: int, what: str, of: str) -> str | None:
    return None if came == wanted else f"{came} {what} for {wanted} {of}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: Mapping[str, Check] = {EMBEDDINGS.name: _embeddings, RERANK.name: _ranks, SCORE.name: _scores}
