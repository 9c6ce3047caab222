"""A plausible value for each field of a request, made from the type that the wire gives it."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints, is_typeddict

from llamafarm.wire import Operation, Upload

TOOL: Mapping[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}

_TELLING: Mapping[str, tuple[Any, ...]] = {
    "temperature": (0.25, 0),
    "top_p": (0.5,),
    "seed": (7, 0),
    "n": (2,),
    "best_of": (3,),
    "parallel_tool_calls": (False,),
    "reasoning_effort": ("low",),
    "response_format": ({"type": "json_object"},),
    "tool_choice": ("required",),
    "tools": ([TOOL],),
    "stop": (["END"], "END"),
    "logit_bias": ({"50256": -100},),
    "messages": ([{"role": "user", "content": "Another question."}],),
}
"""Values that a type cannot tell, for fields that mean something: zeros count, and what is not the default."""

_FILE = Upload("lf-value.bin", b"lf-value")
_PLAIN: Mapping[Any, Any] = {
    str: "lf-value",
    int: 5,
    float: 0.75,
    bool: True,
    Any: "lf-value",
    type(None): None,
    Upload: _FILE,
}


def values_of(operation: Operation) -> dict[str, tuple[Any, ...]]:
    """For each field of the operation's request the values to try, by the field's name."""
    hints = get_type_hints(operation.request)
    telling = {} if operation.returns == "content" else _TELLING
    return {name: telling.get(name) or (plausible(kind),) for name, kind in hints.items()}


def plausible(kind: Any) -> Any:
    """A value of that type. Of a union the last member that is not None, of a Literal the last."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if is_typeddict(kind):
        return {name: plausible(one) for name, one in get_type_hints(kind).items()}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return arguments[-1]
    if origin in (NotRequired, Required):
        return plausible(arguments[0])
    if origin in (Union, types.UnionType):
        return plausible([one for one in arguments if one is not type(None)][-1])
    if origin is list:
        return [plausible(arguments[0])]
    if origin is dict:
        return {"lf-key": plausible(arguments[1])}
    raise TypeError(f"No plausible value is known for {kind!r}.")
