"""Grammars of arguments whose keys are bare and whose texts have quotes of their own: Gemma's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from llamafarm_universal.host.engines.text.grammar.lark import ANY, Lark, choice, literal, regex
from llamafarm_universal.host.engines.text.grammar.notation import ANNOTATIONS, PLAIN_NAME, Rules, Unwritable
from llamafarm_universal.host.engines.text.grammar.schema import json_rule


class BareKeysRules(Rules):
    """JSON but for keys and texts. Keys are sorted, as the templates of these models have them."""

    def __init__(self, lark: Lark, root: Mapping[str, Any], quote: str, *, strict: bool) -> None:
        super().__init__(lark, root, strict=strict)
        self._quote = quote
        self._named: dict[str, str] = {}

    def arguments(self) -> str:
        """What matches all of a call's. Raises Unwritable."""
        return self._object(self._root)

    def _value(self, schema: Any) -> str:
        """What matches a value, which is JSON where the notation says too little: it is read in either form."""
        try:
            return self._written(schema)
        except Unwritable:
            if (rule := self._json(schema)) is None:
                raise
            return rule

    def _written(self, schema: Any) -> str:
        if not isinstance(schema, Mapping) or not schema.keys() - ANNOTATIONS:
            return self._once("any", self._any)
        if "$ref" in schema:
            [target] = self._combined(schema) or [True]
            return self._once(schema["$ref"], lambda: self._value(target))
        if "enum" in schema or "const" in schema:
            return choice([self._constant(value) for value in schema.get("enum", [schema.get("const")])])
        if combined := self._combined(schema):
            return choice([self._value(part) for part in combined])
        match schema.get("type"):
            case "object":
                return self._object(schema)
            case "array":
                return self._array(schema)
            case "string":
                return self._quoted(self._length(schema))
            case None:
                self._only(schema)
                return self._value(True)
        return json_rule(schema, strict=self._strict)

    def _object(self, schema: Mapping[str, Any]) -> str:
        properties, required, more = self._members(schema)
        if more is not False:
            return self._listed("{", f"{regex(PLAIN_NAME)} {literal(':')} {self._value(more)}", 0, None, "}")
        after = ""
        begins: list[str] = []  # from each pair that may be the first
        for name in sorted(properties, key=str.lower, reverse=True):
            pair = self._lark.rule(self._lark.fresh("pair"), f"{_key(name)} {self._value(properties[name])}")
            begins = [f"{pair} {after}", *([] if name in required else begins)]
            next_pair = f"{literal(',')} {pair}"
            body = f"{next_pair} {after}" if name in required else f"({next_pair})? {after}"
            after = self._lark.rule(self._lark.fresh("pairs"), body)
        members = f"({choice(begins)})" + ("" if required else "?") if begins else ""
        return f"{literal('{')} {members} {literal('}')}"

    def _array(self, schema: Mapping[str, Any]) -> str:
        self._only(schema, "type", "items", "minItems", "maxItems")
        items = schema.get("items", True)
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        return self._listed("[", self._value(items), least, most, "]")

    def _listed(self, opening: str, item: str, least: int, most: int | None, closing: str) -> str:
        """Items with commas between them."""
        if most == 0:
            return f"{literal(opening)} {literal(closing)}"
        item = self._lark.rule(self._lark.fresh("item"), item)
        more = f"({literal(',')} {item}){{{max(least - 1, 0)},{'' if most is None else most - 1}}}"
        items = f"({item} {more})" + ("" if least else "?")
        return f"{literal(opening)} {items} {literal(closing)}"

    def _quoted(self, pattern: str) -> str:
        return f"{self._lark.text(self._quote)} {self._text_until(pattern, '', self._quote)}"

    def _constant(self, value: Any) -> str:
        if isinstance(value, str):
            if self._quote in value:
                return literal(json.dumps(value, ensure_ascii=False))
            written = f"{literal(value)} " if value else ""
            return f"{self._lark.text(self._quote)} {written}{self._lark.text(self._quote)}"
        if not isinstance(value, list | dict):
            return literal(json.dumps(value))
        if isinstance(value, list):
            items = [self._constant(item) for item in value]
        else:
            items = [f"{_key(name)} {self._constant(value[name])}" for name in sorted(value, key=str.lower)]
        opening, closing = "[]" if isinstance(value, list) else "{}"
        return " ".join([literal(opening), f" {literal(',')} ".join(items), literal(closing)])

    def _any(self) -> str:
        json_values = json_rule({"type": ["number", "boolean", "null"]}, strict=False)
        items = self._listed("[", self._value(True), 0, None, "]")
        pairs = self._listed("{", f"{regex(PLAIN_NAME)} {literal(':')} {self._value(True)}", 0, None, "}")
        return choice([self._quoted(ANY), json_values, items, pairs])

    def _once(self, key: str, made: Callable[[], str]) -> str:
        """The name of a rule that is made once: it may lead back to itself."""
        if key not in self._named:
            name = self._named[key] = self._lark.fresh("value")
            self._lark.rule(name, made())
        return self._named[key]


def _key(name: str) -> str:
    """What matches a key and what is behind it; one that cannot be bare has quotes, as in JSON."""
    is_plain = re.fullmatch(r'[^:{}\[\],"<>\n]+', name) and name == name.strip()
    return literal(f"{name if is_plain else json.dumps(name, ensure_ascii=False)}:")
