"""Passages as rows of Chroma, and filters in its terms.

Chroma's metadata are flat, know no lists and compare whole numbers and others apart. So a row holds the passage as it
is, as JSON under one key, and beside it, to be filtered by, its fields: numbers as floats, those of the file's
metadata under names that begin with `metadata.`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm_rag.database.passage import Passage, Value
from llamafarm_rag.database.passage_json import dump_passage, load_passage
from llamafarm_rag.errors import DatabaseError
from llamafarm_rag.store.filters import Combination, Comparison, Condition, filterable

PASSAGE = "llamafarm.passage"
"""The key of the passage as JSON, apart from its text and its id."""
TEXT = "llamafarm.text"
"""The key of its text. As a document Chroma would index each three letters of it, for a search that nobody asks for:
a third of the time that adding rows takes."""


def row_metadata(passage: Passage) -> dict[str, Value]:
    """What Chroma keeps beside the vector."""
    fields = {name: _comparable(value) for name, value in filterable(passage).items()}
    return {**fields, PASSAGE: dump_passage(passage), TEXT: passage.text}


def row_passage(row: str, metadata: Mapping[str, Any] | None) -> Passage:
    """The passage of a row. Raises DatabaseError for a row that LlamaFarm has not written."""
    try:
        return load_passage(row, (metadata or {})[TEXT], (metadata or {})[PASSAGE])
    except (TypeError, ValueError, KeyError):
        raise DatabaseError(
            f"The row {row!r} was not written by LlamaFarm.",
            hint="Another program uses this collection: name another one as `collection_name` in llamafarm.yaml.",
        ) from None


def chroma_filter(condition: Condition) -> dict[str, Any]:
    """The condition in Chroma's terms."""
    if isinstance(condition, Combination):
        return _joined(condition.together, [chroma_filter(part) for part in condition.parts])
    if condition.operator not in ("$in", "$nin"):
        return {condition.field: {condition.operator: _comparable(condition.values[0])}}
    return _listed(condition)


def _listed(condition: Comparison) -> dict[str, Any]:
    """Chroma wants the values of a list to be of one type."""
    by_type: dict[type, list[Value]] = {}
    for value in map(_comparable, condition.values):
        by_type.setdefault(type(value), []).append(value)
    together = "$or" if condition.operator == "$in" else "$and"
    return _joined(together, [{condition.field: {condition.operator: values}} for values in by_type.values()])


def _joined(together: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    return parts[0] if len(parts) == 1 else {together: parts}


def _comparable(value: Value) -> Value:
    return value if isinstance(value, str | bool) else float(value)
