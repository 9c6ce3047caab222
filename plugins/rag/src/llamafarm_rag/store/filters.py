"""Filters of passages: what `where` says, read once for every kind of store.

    {"author": "Ann"}                           the file's metadata say so
    {"year": {"$gte": 2020, "$lt": 2024}}       compared: $eq $ne $gt $gte $lt $lte $in $nin
    {"dataset": "notes", "author": "Ann"}       all of them
    {"$or": [{...}, {...}]}, {"$and": [...]}    any, all

`dataset`, `file`, `number`, `page`, `start` and `end` are the passage's own; every other name is one of the file's
metadata, and `metadata.page` is the file's where it has one of a passage's own names. A passage that lacks the name
fits `$ne` and `$nin` alone. Numbers equal numbers (2020 is 2020.0), never texts, true or false.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from llamafarm.errors import UsageError

from llamafarm_rag.database.passage import Passage, Value

Operator = Literal["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin"]
OPERATORS: tuple[Operator, ...] = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin")
ORDERING: dict[str, Callable[[float, float], bool]] = {
    "$gt": lambda have, value: have > value,
    "$gte": lambda have, value: have >= value,
    "$lt": lambda have, value: have < value,
    "$lte": lambda have, value: have <= value,
}
OWN = ("dataset", "file", "number", "page", "start", "end")
"""What of a passage itself can be filtered by."""
METADATA = "metadata."


@dataclass(frozen=True)
class Comparison:
    """One field compared. field: one of OWN, or `metadata.` and the name. values: more than one for $in and $nin."""

    field: str
    operator: Operator
    values: tuple[Value, ...]

    def fits(self, passage: Passage) -> bool:
        """Whether the passage fits."""
        have = filterable(passage).get(self.field)
        if self.operator in ORDERING:
            return _is_number(have) and ORDERING[self.operator](cast("float", have), cast("float", self.values[0]))
        among = any(_equal(have, value) for value in self.values)
        return among is (self.operator in ("$eq", "$in"))


@dataclass(frozen=True)
class Combination:
    """Several conditions, of which all or any must hold."""

    together: Literal["$and", "$or"]
    parts: tuple[Condition, ...]

    def fits(self, passage: Passage) -> bool:
        """Whether the passage fits."""
        return (all if self.together == "$and" else any)(part.fits(passage) for part in self.parts)


Condition = Comparison | Combination


def read_filter(where: Mapping[str, Any] | None) -> Condition | None:
    """The filter as a condition; None where it asks for nothing. Raises UsageError for one that cannot be read."""
    if where is None or not len(where):
        return None
    parts = [part for name, wanted in where.items() for part in _read(name, wanted)]
    return parts[0] if len(parts) == 1 else Combination("$and", tuple(parts))


def filterable(passage: Passage) -> dict[str, Value]:
    """What a passage can be filtered by: its own fields, and the file's metadata; NaN and infinity are left out."""
    own = {name: getattr(passage, name) for name in OWN}
    metadata = {METADATA + name: value for name, value in passage.metadata.items()}
    return {name: value for name, value in {**own, **metadata}.items() if _is_filterable(value)}


def _read(name: str, wanted: Any) -> list[Condition]:
    if name in ("$and", "$or"):
        return [_combination(cast("Literal['$and', '$or']", name), wanted)]
    if name.startswith("$"):
        raise _unreadable(
            f"{name!r} stands where the name of a field should",
            'Names of fields go outside: {"year": {"$gte": 2020}}; $and and $or hold lists of filters.',
        )
    field = name if name in OWN or name.startswith(METADATA) else METADATA + name
    if not isinstance(wanted, Mapping):
        return [_comparison(field, "$eq", wanted)]
    if not wanted:
        raise _unreadable(f"{name!r} is compared with nothing", f"Operators: {', '.join(OPERATORS)}.")
    return [_comparison(field, operator, value) for operator, value in wanted.items()]


def _combination(together: Literal["$and", "$or"], wanted: Any) -> Combination:
    filters = list(wanted) if isinstance(wanted, Sequence) and not isinstance(wanted, str) else []
    if not filters or not all(isinstance(part, Mapping) and part for part in filters):
        raise _unreadable(f"{together} needs a list of filters", 'Such as {"$or": [{"year": 2020}, {"year": 2021}]}.')
    parts = tuple(condition for part in filters if (condition := read_filter(part)) is not None)
    return Combination(together, parts)


def _comparison(field: str, operator: str, value: Any) -> Comparison:
    known = [name for name in OPERATORS if name == operator]
    if not known:
        raise _unreadable(f"there is no operator {operator!r}", f"Operators: {', '.join(OPERATORS)}, $and, $or.")
    several = operator in ("$in", "$nin")
    if several and (isinstance(value, str) or not isinstance(value, Sequence) or not value):
        raise _unreadable(f"{operator} of {field!r} needs a list of values", f'Such as {{"{operator}": ["a", "b"]}}.')
    values = tuple(value) if several else (value,)
    if operator in ORDERING and not _is_number(value):
        raise _unreadable(f"{operator} of {field!r} compares with {value!r}", "It compares numbers only.")
    if bad := [item for item in values if not _is_filterable(item)]:
        raise _unreadable(
            f"{field!r} is compared with {bad[0]!r}", "Texts, finite numbers, true and false are possible."
        )
    return Comparison(field, known[0], values)


def _equal(have: Value | None, value: Value) -> bool:
    if _is_number(have) and _is_number(value):
        return have == value
    return type(have) is type(value) and have == value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_filterable(value: Any) -> bool:
    return isinstance(value, str | bool) or _is_number(value)


def _unreadable(what: str, hint: str) -> UsageError:
    return UsageError(f"The filter cannot be read: {what}.", hint=hint, status=400, code="invalid_filter")
