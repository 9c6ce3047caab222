"""Filters: what the metadata of passages must say, in the words of Chroma, read by whoever has no Chroma to ask."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from llamafarm.errors import RequestError

from llamafarm_rag.database.passage import Passage, Value
from llamafarm_rag.store.base import Filter

OWN_KEYS = ("file", "dataset", "page")
"""What a filter may ask of a passage itself; any other key is one of its metadata."""
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_OPERATORS = ("$eq", "$ne", *_ORDERS, "$in", "$nin")


def check_filter(where: Filter) -> None:
    """Raise RequestError for an operator that there is not, and for an operand that it cannot take."""
    for key, wanted in where.items():
        if key in ("$and", "$or"):
            if not isinstance(wanted, list) or not wanted or not all(isinstance(part, Mapping) for part in wanted):
                raise _wrong(f"`{key}` takes a list of filters")
            for part in wanted:
                check_filter(part)
        elif key.startswith("$"):
            raise _wrong(f"there is no `{key}`")
        elif isinstance(wanted, Mapping):
            for name, operand in wanted.items():
                _check_operand(key, name, operand)
        elif not isinstance(wanted, Value):
            raise _wrong(f"`{key}` is compared with a text, a number, true or false")


def fits(passage: Passage, where: Filter) -> bool:
    """Whether a passage is as a filter says, that was checked.

    A passage that does not have a key is like no value of it, so that it fits `$ne` and `$nin` alone. Texts and numbers
    are in no order with each other.
    """
    return all(_fits(passage, key, wanted) for key, wanted in where.items())


def _fits(passage: Passage, key: str, wanted: Any) -> bool:
    if key == "$and":
        return all(fits(passage, part) for part in wanted)
    if key == "$or":
        return any(fits(passage, part) for part in wanted)
    value = getattr(passage, key) if key in OWN_KEYS else passage.metadata.get(key)
    operands = wanted if isinstance(wanted, Mapping) else {"$eq": wanted}
    return all(_holds(value, name, operand) for name, operand in operands.items())


def _holds(value: Value | None, name: str, operand: Any) -> bool:
    if name in _ORDERS:
        return value is not None and _kind(value) == _kind(operand) and bool(_ORDERS[name](value, operand))
    values = operand if name in ("$in", "$nin") else [operand]
    is_among = any(value == each and _kind(value) == _kind(each) for each in values)
    return is_among is (name in ("$eq", "$in"))


def _kind(value: Any) -> type[Any]:
    """1 is 1.0, and true is no 1."""
    return float if type(value) is int else type(value)


def _check_operand(key: str, name: str, operand: Any) -> None:
    if name not in _OPERATORS:
        raise _wrong(f"there is no operator `{name}` (at `{key}`)")
    values = operand if name in ("$in", "$nin") else [operand]
    if not isinstance(values, list) or not values or not all(isinstance(value, Value) for value in values):
        raise _wrong(f"`{name}` (at `{key}`) takes {'a list of values' if name in ('$in', '$nin') else 'one value'}")


def _wrong(why: str) -> RequestError:
    return RequestError(
        f"The filter cannot be read: {why}.",
        hint=f"Operators: {', '.join(_OPERATORS)}; filters are put together by `$and` and `$or`.",
        code="invalid_filter",
        param="rag_filters",
    )
