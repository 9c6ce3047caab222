"""Fills the `{slot}` places of a template with values.

A slot is a lower-case name in braces and nothing else; every other brace is literal. `"{name:int}"`, where it is a
whole string of a call's arguments, becomes a JSON number.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

PLACE = re.compile(r"\{([a-z_]+)(:int)?\}")
WORD = re.compile(r"[A-Za-z]+")
INVENTED_SHARE = 0.5
"""How often a listed value is replaced by invented words, so that a copied argument never has to be known."""

# ruff: noqa: SIM905 - words in one string read better than a list of as many literals
_ONSETS = "b br c ch d dr f fl g gr h j k l m n p pr qu r s sh st t th tr v w y z".split()
_VOWELS = "a e i o u ai ea ee oo ou y".split()
_CODAS = ["", "", "", *"n r l s t ck m nd ng st x p".split()]

Values = Mapping[str, Any]
"""Slot definitions: a list of values, `{range: [LOW, HIGH]}`, `{sum_of: [...]}` or `{product_of: [...]}`."""


def names(template: Any) -> set[str]:
    """The slots that a text, or a structure of texts, mentions."""
    if isinstance(template, str):
        return {match[1] for match in PLACE.finditer(template)}
    if isinstance(template, Mapping):
        return set().union(*(names(value) for value in template.values()))
    if isinstance(template, list):
        return set().union(*(names(value) for value in template))
    return set()


def draw(definitions: Values, wanted: set[str], rng: random.Random) -> dict[str, str]:
    """One value for each wanted slot; no listed value is taken twice. Raises `KeyError` for an undefined slot."""
    chosen: dict[str, str] = {}
    computed = [name for name in sorted(wanted) if _is_computed(definitions[name])]
    for name in computed:
        wanted = wanted | set(next(iter(definitions[name].values())))
    for name in sorted(wanted - set(computed)):
        chosen[name] = _draw_one(definitions[name], set(chosen.values()), rng)
    for name in computed:
        chosen[name] = _compute(definitions[name], chosen)
    return chosen


def fill(template: Any, chosen: Mapping[str, str]) -> Any:
    """The template with every slot filled; structures are filled value by value."""
    if isinstance(template, Mapping):
        return {key: fill(value, chosen) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, chosen) for value in template]
    if not isinstance(template, str):
        return template
    whole = PLACE.fullmatch(template)
    if whole and whole[2]:
        return int(chosen[whole[1]])
    return PLACE.sub(lambda match: chosen.get(match[1], match[0]), template)


def invent(like: str, rng: random.Random) -> str:
    """Invented words in the shape of `like`: as many, and with its capitals."""
    return WORD.sub(lambda match: _in_case_of(match[0], _invented_word(match[0], rng)), like)


def _is_computed(definition: Any) -> bool:
    return isinstance(definition, Mapping) and bool({"sum_of", "product_of"} & set(definition))


def _draw_one(definition: Any, taken: set[str], rng: random.Random) -> str:
    if isinstance(definition, Mapping):
        low, high = definition["range"]
        return str(rng.randint(low, high))
    value = rng.choice([str(value) for value in definition if str(value) not in taken])
    return invent(value, rng) if rng.random() < INVENTED_SHARE else value


def _compute(definition: Any, chosen: Mapping[str, str]) -> str:
    if "sum_of" in definition:
        return str(sum(int(chosen[name]) for name in definition["sum_of"]))
    first, second = (int(chosen[name]) for name in definition["product_of"])
    return str(first * second)


def _invented_word(like: str, rng: random.Random) -> str:
    if like.isupper() and len(like) <= 5:
        return "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in like)
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.randint(1, 3)))


def _in_case_of(like: str, word: str) -> str:
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word.capitalize() if like[0].isupper() else word
