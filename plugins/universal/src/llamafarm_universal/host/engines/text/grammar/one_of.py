"""Which branches of a `oneOf` exclude each other, so that it means the same as `anyOf`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from llamafarm_universal.json_schema import MAX_DEPTH, TYPES, referred, type_of, types_of

_Values = frozenset[tuple[str, Any]]
_SCALARS = (str, int, float, bool, type(None))


def exclude_each_other(branches: Sequence[Any], root: Any) -> bool:
    """Whether no value fits two of these schemas, as far as their types, their values or a common tag tell.

    A tag is a property that objects must have, and that has other values in each branch, as the fields are by which
    pydantic tells the classes of a union apart. root: what references go into.
    """
    types = [_types(branch, root) for branch in branches]
    for kind in TYPES:
        fitting = [branch for branch, its in zip(branches, types, strict=True) if kind in its]
        if len(fitting) > 1 and not _are_apart([_resolved(branch, root) for branch in fitting], root):
            return False
    return True


def _types(schema: Any, root: Any) -> frozenset[str]:
    types = types_of(schema, root)
    if types is None:
        return frozenset(TYPES)
    return types | {"integer"} if "number" in types else types


def _are_apart(schemas: Sequence[dict[str, Any]], root: Any) -> bool:
    """Whether the values of schemas differ, or those of a tag."""
    if _differ(map(_values, schemas)):
        return True
    tags = set.intersection(*(set(schema.get("required", ())) for schema in schemas))
    return any(
        _differ(_values(_resolved(schema.get("properties", {}).get(tag), root)) for schema in schemas) for tag in tags
    )


def _differ(sets: Iterable[_Values | None]) -> bool:
    """Whether no value is in two of these sets, all of which are known."""
    seen: set[tuple[str, Any]] = set()
    for values in sets:
        if values is None or not seen.isdisjoint(values):
            return False
        seen |= values
    return True


def _values(schema: dict[str, Any]) -> _Values | None:
    """The only values of a schema, each with its type, since Python takes `true` for 1; None where it names none."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values is None or not all(isinstance(value, _SCALARS) for value in values):
        return None
    return frozenset((type_of(value), value) for value in values)


def _resolved(schema: Any, root: Any) -> dict[str, Any]:
    """A schema, or the one that its reference leads to; what is none says nothing."""
    for _ in range(MAX_DEPTH):
        if not (isinstance(schema, dict) and "$ref" in schema):
            break
        schema = referred(schema["$ref"], root)
    return schema if isinstance(schema, dict) else {}
