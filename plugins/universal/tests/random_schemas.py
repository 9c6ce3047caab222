"""JSON Schemas at random: nested, with enums, unions, arrays, formats and recursion."""

from __future__ import annotations

from random import Random
from typing import Any

NAMES = ["name", "n", "größe", "a b", 'quo"te', "items", "type", "x-y", "0", "$ref_", "back\\slash", "tab\t"]
FORMATS = ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"]
PATTERNS = ["^[a-z]{2,5}$", "^\\d{3}-\\d{2}$", "^(foo|bar)+$", "[xyz]$", "^.{0,8}$"]
WORDS = ["red", "green", "", 'a"b', "ünï", "line\nbreak", "\\", "🙂"]


def schema(seed: int) -> dict[str, Any]:
    """The same schema for the same seed; a third of them are recursive."""
    return _Schemas(Random(seed)).root()


class _Schemas:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._recursive = random.random() < 0.3

    def root(self) -> dict[str, Any]:
        made = self._any(3)
        if self._recursive:
            node = {"type": "object", "properties": {"v": self._leaf(), "next": self._list()}, "required": ["v"]}
            made = {"type": "object", "properties": {"root": {"$ref": "#/$defs/node"}, "more": made}}
            made |= {"required": ["root"], "$defs": {"node": node}}
        return {"title": "Made up", **made}

    def _list(self) -> dict[str, Any]:
        """The rest of a list, or several rests."""
        rest = {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}
        return self._random.choice([rest, {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2}])

    def _any(self, depth: int) -> dict[str, Any]:
        if depth == 0:
            return self._leaf()
        kinds = [self._leaf, lambda: self._object(depth), lambda: self._array(depth), lambda: self._union(depth)]
        return self._random.choices(kinds, [2, 4, 2, 2])[0]()

    def _leaf(self) -> dict[str, Any]:
        random = self._random
        leaves = [self._string, self._number, self._enum]
        simple = [{"type": "boolean"}, {"type": "null"}, {"const": random.choice([*WORDS, 3, None, {"a": [1]}])}]
        return random.choice([random.choice(leaves)(), random.choice(leaves)(), random.choice(simple)])

    def _string(self) -> dict[str, Any]:
        random = self._random
        least = random.randint(0, 3)
        return random.choice(
            [
                {"type": "string"},
                {"type": "string", "minLength": least, "maxLength": least + random.randint(0, 6)},
                {"type": "string", "format": random.choice(FORMATS)},
                {"type": "string", "pattern": random.choice(PATTERNS)},
                {"type": ["string", "null"], "maxLength": 5, "description": "a hint", "default": None},
            ]
        )

    def _number(self) -> dict[str, Any]:
        random = self._random
        low = random.randint(-50, 50)
        kind = random.choice(["integer", "number"])
        return random.choice(
            [
                {"type": kind},
                {"type": kind, "minimum": low, "maximum": low + random.randint(0, 90)},
                {"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": low + 0.5},
                {"type": "integer", "multipleOf": random.choice([2, 5, 7]), "minimum": 0, "maximum": 1000},
            ]
        )

    def _enum(self) -> dict[str, Any]:
        values = [*WORDS, 1, 2.5, True, None, [1, "a"], {"b": 1}]
        return {"enum": self._random.sample(values, self._random.randint(1, 5))}

    def _object(self, depth: int) -> dict[str, Any]:
        random = self._random
        names = random.sample(NAMES, random.randint(1, 4))
        made: dict[str, Any] = {"type": "object", "properties": {name: self._any(depth - 1) for name in names}}
        made["required"] = [name for name in names if random.random() < 0.7]
        more = random.random()
        if more < 0.3:
            made["additionalProperties"] = False
        elif more < 0.4:
            made["additionalProperties"] = {"type": "integer", "minimum": 0, "maximum": 9}
        elif more < 0.5:
            made |= {"patternProperties": {"^k[0-9]$": {"type": "boolean"}}, "additionalProperties": False}
        return made

    def _array(self, depth: int) -> dict[str, Any]:
        random = self._random
        least = random.randint(0, 2)
        made = {"type": "array", "items": self._any(depth - 1), "minItems": least, "maxItems": least + 2}
        if random.random() < 0.2:
            return {"type": "array", "prefixItems": [self._leaf(), self._leaf()], "items": False, "minItems": 2}
        return made

    def _union(self, depth: int) -> dict[str, Any]:
        random = self._random
        branches = [self._any(depth - 1) for _ in range(random.randint(2, 3))]
        if random.random() < 0.5:
            return {"anyOf": branches}
        if random.random() < 0.3:
            return {"allOf": [{"type": "object", "properties": {"a": self._leaf()}, "required": ["a"]},
                              {"type": "object", "properties": {"b": self._leaf()}, "required": ["b"]}]}  # fmt: skip
        tagged = [
            {"type": "object", "properties": {"kind": {"const": f"k{index}"}, "value": branch}, "required": ["kind"]}
            for index, branch in enumerate(branches)
        ]
        return {"oneOf": tagged, "discriminator": {"propertyName": "kind"}}
