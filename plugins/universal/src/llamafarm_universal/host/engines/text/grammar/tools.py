"""The tools that an answer may call, and what their arguments are held to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from llamafarm_universal.host.engines.text.grammar.bare_keys import BareKeysRules
from llamafarm_universal.host.engines.text.grammar.constraint import not_compiled
from llamafarm_universal.host.engines.text.grammar.elements import ElementsRules
from llamafarm_universal.host.engines.text.grammar.lark import Lark
from llamafarm_universal.host.engines.text.grammar.notation import Unwritable
from llamafarm_universal.host.engines.text.grammar.schema import (
    ANY_OBJECT,
    RULES_KEPT,
    arguments_rule,
    arguments_schema,
    error_in,
    prepared,
)
from llamafarm_universal.host.engines.text.parse.shape import BareKeys, CallShape, Elements
from llamafarm_universal.messages import ChatPrompt


@dataclass(frozen=True)
class Tool:
    """parameters: a JSON Schema; None where it takes none. strict: they are kept to the letter. field: for errors."""

    name: str
    parameters: Any
    strict: bool
    field: str


def offered(prompt: ChatPrompt) -> list[Tool]:
    """The tools that may be called."""
    chosen = prompt.tool_choice
    return [
        Tool(name, tool["function"].get("parameters"), name in chosen.strict, f"tools[{index}].function.parameters")
        for index, tool in enumerate(prompt.tools)
        if (name := tool["function"]["name"]) in chosen.names or not chosen.names
    ]


def json_arguments(tool: Tool) -> str:
    """What matches the arguments of a tool in JSON; any object where its parameters cannot be enforced.

    Raises RequestFailed where they must be.
    """
    rule = arguments_rule(tool.parameters, strict=tool.strict)
    if error := error_in(rule):
        if tool.strict:
            raise not_compiled(error, tool.field)
        return arguments_rule(ANY_OBJECT, strict=False)
    return rule


def arguments(lark: Lark, shape: CallShape, tool: Tool) -> str:
    """What matches the arguments of a tool as a model writes them. Raises RequestFailed.

    What cannot be enforced in the model's notation is left: see `shape_for` for tools of which all must be.
    """
    if shape.notation is None:
        return json_arguments(tool)
    is_enforced = _is_writable(shape.notation, tool, strict=True)
    return _rules(lark, shape.notation, tool.parameters, strict=is_enforced).arguments()


def shape_for(shape: CallShape, prompt: ChatPrompt) -> CallShape:
    """The shape of the calls in an answer: in JSON where a tool needs it, as strict ones may."""
    notation = shape.notation
    if notation is None or all(_is_writable(notation, tool, strict=tool.strict) for tool in offered(prompt)):
        return shape
    return shape.in_json()


def _is_writable(notation: Elements | BareKeys, tool: Tool, *, strict: bool) -> bool:
    """Whether a tool can be called in a notation. strict: and all that its parameters ask for be enforced."""
    return _can_write(notation, json.dumps(tool.parameters), strict)


@lru_cache(RULES_KEPT)
def _can_write(notation: Elements | BareKeys, parameters: str, strict: bool) -> bool:
    try:
        _rules(Lark({}), notation, json.loads(parameters), strict=strict).arguments()
    except Unwritable:
        return False
    return True


def _rules(
    lark: Lark, notation: Elements | BareKeys, parameters: Any, *, strict: bool
) -> ElementsRules | BareKeysRules:
    root = prepared(arguments_schema(parameters))
    if isinstance(notation, Elements):
        return ElementsRules(lark, root, notation, strict=strict)
    return BareKeysRules(lark, root, notation.quote, strict=strict)
