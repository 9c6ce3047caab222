"""Grammars of arguments in notations of their own: what those of all notations share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm_universal.host.engines.text.grammar.lark import ANY, Lark, exactly, regex, text_like
from llamafarm_universal.host.engines.text.grammar.schema import error_in, json_rule
from llamafarm_universal.json_schema import referred

ANNOTATIONS = {"title", "description", "default", "examples", "deprecated", "$comment", "$defs", "definitions"}
COMBINING = ("enum", "const", "$ref", "anyOf", "oneOf", "allOf")
"""Keywords of which a schema may have one, and beside it no others that say something of values."""
PLAIN_NAME = r'[^\s:{}\[\],"<>]{1,64}'
"""The pattern of names that need no quotes."""


class Unwritable(Exception):
    """A schema asks for what cannot be enforced in this notation. Its text: the keyword."""


class Rules:
    """Rules of values in one notation. root: the schema of all arguments, prepared; references go into it.

    strict: all that it asks for must be enforced; else what cannot be is left.
    """

    def __init__(self, lark: Lark, root: Mapping[str, Any], *, strict: bool) -> None:
        self._lark = lark
        self._root = root
        self._strict = strict

    def _give_up(self, keyword: str) -> None:
        if self._strict:
            raise Unwritable(keyword)

    def _only(self, schema: Mapping[str, Any], *keywords: str) -> None:
        """Other keywords are not enforced."""
        if others := schema.keys() - {*keywords, *ANNOTATIONS}:
            self._give_up(min(others))

    def _combined(self, schema: Mapping[str, Any]) -> list[Any] | None:
        """The schemas of which a value fits one, where a schema says just that; None where it says something else."""
        keyword = next((keyword for keyword in COMBINING if keyword in schema), None)
        if keyword is None:
            kinds = schema.get("type")
            return [{**schema, "type": kind} for kind in kinds] if isinstance(kinds, list) else None
        if keyword in ("enum", "const"):
            return None
        self._only(schema, keyword)
        if keyword == "$ref":
            return [referred(schema["$ref"], self._root)]
        if keyword == "oneOf" or (keyword == "allOf" and len(schema["allOf"]) > 1):
            self._give_up(keyword)
        return list(schema[keyword][:1] if keyword == "allOf" else schema[keyword])

    def _members(self, schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], set[str], Any]:
        """An object's properties, the names of those it must have, and what others may be; False: there are none."""
        self._only(schema, "type", "properties", "required", "additionalProperties")
        properties, required = schema.get("properties", {}), set(schema.get("required", ()))
        more = schema.get("additionalProperties", True)
        if not required <= properties.keys() or (properties and more is not False):
            self._give_up("additionalProperties")
        return properties, required, False if properties else more

    def _length(self, schema: Mapping[str, Any]) -> str:
        """The pattern of a text."""
        self._only(schema, "type", "minLength", "maxLength")
        least, most = schema.get("minLength", 0), schema.get("maxLength", "")
        return f"(?s:.{{{least},{most}}})" if least or most != "" else ANY

    def _json(self, schema: Mapping[str, Any]) -> str | None:
        """What matches the JSON texts of a schema; None where it cannot be enforced."""
        definitions = {name: self._root[name] for name in ("$defs", "definitions") if name in self._root}
        rule = json_rule({**schema, **definitions}, strict=self._strict)
        return None if error_in(rule) else rule

    def _text_until(self, pattern: str, end: str, mark: str) -> str:
        """What fits a pattern, then `end` and a mark, which stands nowhere before."""
        name = self._lark.fresh("TEXT")
        if self._lark.is_special(mark):
            return f"{self._lark.rule(name, regex(f'(?:{pattern}){exactly(end)}'))} {self._lark.text(mark)}"
        whole = f"(?:{pattern}){exactly(end + mark)}"
        return self._lark.rule(name, text_like(whole, but=[f"{ANY}{exactly(mark)}(?s:.+)"]))
