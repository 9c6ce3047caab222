"""Grammars of text with tags in it: free until a trigger comes, and then one of the tags that begin with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llamafarm_universal.host.engines.text.grammar.lark import ANY, Lark, choice, exactly, text_like
from llamafarm_universal.host.engines.text.grammar.schema import json_rule


def tags_rule(lark: Lark, value: Mapping[str, Any]) -> str:
    """What matches such a text. value: that of a `Structure` of the kind `tags`."""
    triggers: Sequence[str] = value["triggers"]
    text = lark.rule(lark.fresh("OUTSIDE"), text_like(ANY, but=[_anywhere(trigger) for trigger in triggers]))
    options = []
    for trigger in triggers:
        own = [tag for tag in value["tags"] if _trigger_of(tag["begin"], triggers) == trigger]
        if own:
            bodies = choice([_body(lark, tag, trigger) for tag in own])
            options.append(f"{_lead(lark, text, trigger, triggers)} {bodies}")
    tag = lark.rule(lark.fresh("tag"), choice(options))
    tagged = tag if value["stop_after_first"] else f"{tag}+ {text}?"
    return tagged if value["at_least_one"] else choice([text, tagged])


def _trigger_of(begin: str, triggers: Sequence[str]) -> str:
    return next(trigger for trigger in triggers if begin.startswith(trigger))


def _lead(lark: Lark, text: str, trigger: str, triggers: Sequence[str]) -> str:
    """Text with a trigger at its end."""
    if lark.has_special(trigger):
        return f"{text}? {lark.exact(trigger)}"
    others = [_anywhere(other) for other in triggers if other != trigger]
    until = lark.rule(lark.fresh("UNTIL"), text_like(ANY + exactly(trigger), but=others))
    return lark.rule(lark.fresh("until"), until, lazy=True)


def _body(lark: Lark, tag: Mapping[str, Any], trigger: str) -> str:
    """A tag, behind its trigger."""
    ends = [lark.exact(end) or '""' for end in tag["ends"]]
    begin = lark.exact(tag["begin"].removeprefix(trigger))
    return " ".join(part for part in (begin, json_rule(tag["schema"], strict=True), choice(ends)) if part)


def _anywhere(text: str) -> str:
    return f"{ANY}{exactly(text)}{ANY}"
