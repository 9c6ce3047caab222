"""Grammars of arguments that stand between marks, such as Qwen3-Coder's and GLM's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llamafarm_universal.host.engines.text.grammar.lark import ANY, Lark, choice, exactly, literal, regex
from llamafarm_universal.host.engines.text.grammar.notation import ANNOTATIONS, PLAIN_NAME, Rules, Unwritable
from llamafarm_universal.host.engines.text.grammar.schema import json_rule
from llamafarm_universal.host.engines.text.parse.json_text import parsed
from llamafarm_universal.host.engines.text.parse.shape import KEY, Elements
from llamafarm_universal.json_schema import TEXT, is_one_of, types_of

_FREE_TYPES = {"boolean", "integer", "number"}
_DEEPEST = 16  # references that lead to nothing but references


class ElementsRules(Rules):
    """Arguments come in the order of the schema. Texts have no quotes, all other values are JSON."""

    def __init__(self, lark: Lark, root: Mapping[str, Any], notation: Elements, *, strict: bool) -> None:
        super().__init__(lark, root, strict=strict)
        self._notation = notation

    def arguments(self) -> str:
        """What matches all of a call's. Raises Unwritable."""
        properties, required, more = self._members(self._root)
        space = self._lark.text(" ")
        elements = []
        for name, schema in properties.items():
            element = self._lark.rule(self._lark.fresh("argument"), f"{self._opened(name)} {self._value(schema)}")
            elements.append(f"{space} {element}" if name in required else f"({space} {element})?")
        if more is not False:
            lead, _, rest = self._notation.open.partition(KEY)
            opened = f"{self._lark.text(lead)} {regex(PLAIN_NAME)} {self._lark.text(rest)}"
            elements.append(f"({space} {opened} {self._value(more)})*")
        return " ".join(elements)

    def _opened(self, name: str) -> str:
        if not re.fullmatch(r"[^<>\n]+", name) or name != name.strip():
            raise Unwritable(name)
        return self._lark.text(self._notation.open, {KEY: name})

    def _value(self, schema: Any) -> str:
        """A value of a schema, and what closes it."""
        padding, close = self._notation.padding, self._notation.close
        branches = self._branches(schema)
        texts = [text for branch in branches if (text := self._as_text(branch)) is not None]
        others = [branch for branch in branches if self._as_text(branch) is None]
        self._check(branches, others, types_of(schema, self._root))
        if ANY in texts:
            texts, others = [ANY], []
        options = [self._text_until("|".join(texts), padding, close)] if texts else []
        closing = f"{literal(padding)} {self._lark.text(close)}" if padding else self._lark.text(close)
        options += [f"{self._other(branch)} {closing}" for branch in others]
        return f"{literal(padding)} {choice(options)}" if padding else choice(options)

    def _branches(self, schema: Any, depth: int = 0) -> list[Mapping[str, Any]]:
        """The schemas of which a value fits one, each of a single type or value, or of any."""
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return [{}]
        if "enum" in schema or "const" in schema:
            return [{"const": value} for value in schema.get("enum", [schema.get("const")])]
        combined = self._combined(schema)
        if combined is None:
            return [schema]
        return [branch for part in combined for branch in self._branches(part, depth + 1)]

    def _as_text(self, branch: Mapping[str, Any]) -> str | None:
        """The pattern of a branch whose values are texts, or null; None for others."""
        if "const" in branch:
            return exactly(branch["const"]) if isinstance(branch["const"], str) else None
        match branch.get("type"):
            case None:
                self._only(branch)
                return ANY
            case "null":
                return "null"
            case "string":
                return self._length(branch)
        return None

    def _check(self, branches: Sequence[Any], others: Sequence[Any], types: frozenset[str] | None) -> None:
        """What a text says is read as a value of another type where it may have one: that must be one that fits."""
        if any(branch.get("type") == "string" for branch in branches):
            for branch in others:
                if branch.keys() - {"type", *ANNOTATIONS} or branch["type"] not in _FREE_TYPES:
                    self._give_up("anyOf")
        for branch in branches:
            if isinstance(value := branch.get("const"), str) and self._is_misread(value, types):
                self._give_up("enum")

    def _is_misread(self, text: str, types: frozenset[str] | None) -> bool:
        """Whether a text would be taken for another value, or broken off."""
        if self._notation.close in text:
            return True
        value = parsed(text)
        return types not in (None, TEXT) and value is not None and is_one_of(types or TEXT, value)

    def _other(self, branch: Mapping[str, Any]) -> str:
        """A value that is no text."""
        if (rule := self._json(branch)) is not None:
            return rule
        self._give_up("type")
        return json_rule({"type": branch["type"]} if "type" in branch else {}, strict=False)
