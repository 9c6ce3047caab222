"""The forms in which users write `runtime` and `prompts` → one form, each part with the path that the user wrote it at.

`runtime.models` is a list of entries, or a mapping from names to entries; or the fields of one entry stand directly in
`runtime`, and become the model `default`. `prompts` is a list of sets, a mapping from names to messages or a text, or
one list of messages, which becomes the set `default`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from llamafarm.config.document import kind
from llamafarm.config.problems import KeyPath, Problems, did_you_mean, nearest

LEGACY_NAME = "default"


@dataclass(frozen=True)
class Part:
    """One entry or set. path: where it was written. name: its name. data: its fields, `name` among them.

    short: a prompt set whose messages stand at `path` itself, without a key `messages`.
    """

    path: KeyPath
    name: str
    data: dict[str, Any]
    short: bool = False


def entries(runtime: Any, problems: Problems) -> list[Part]:
    """The model entries of `runtime`, whichever form they have."""
    if runtime is None:
        return []
    if not isinstance(runtime, dict):
        problems.add(("runtime",), f"must be a mapping, not {kind(runtime)}")
        return []
    flat = {key: value for key, value in runtime.items() if key not in ("models", "default_model")}
    if "models" not in runtime and ("provider" in flat or nearest("provider", flat)):
        named = flat.get("name", LEGACY_NAME)
        return [Part(("runtime",), named if isinstance(named, str) else LEGACY_NAME, {"name": LEGACY_NAME, **flat})]
    _refuse_flat(flat, "models" in runtime, problems)
    return _named(runtime.get("models"), ("runtime", "models"), "a model entry", problems)


def prompt_sets(prompts: Any, problems: Problems) -> list[Part]:
    """The prompt sets of `prompts`, whichever form they have."""
    path: KeyPath = ("prompts",)
    if isinstance(prompts, list) and prompts and isinstance(prompts[0], dict) and "role" in prompts[0]:
        return [Part(path, LEGACY_NAME, {"name": LEGACY_NAME, "messages": prompts}, short=True)]
    if not isinstance(prompts, dict):
        return _named(prompts, path, "a prompt set", problems)
    parts = _named({key: _messages(value) for key, value in prompts.items()}, path, "a prompt set", problems)
    return [replace(part, short=not isinstance(prompts[part.name], dict)) for part in parts]


def one_form(shown: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """A whole configuration with `runtime.models` and `prompts` as lists, whichever form they were written in."""
    found = dict(shown)
    runtime = shown.get("runtime")
    if isinstance(runtime, dict):
        kept = {key: runtime[key] for key in ("default_model",) if key in runtime}
        found["runtime"] = {**kept, "models": [part.data for part in entries(runtime, problems)]}
    if "prompts" in shown:
        found["prompts"] = [part.data for part in prompt_sets(shown["prompts"], problems)]
    return found


def _messages(value: Any) -> Any:
    """A text is one system message, a list is the messages."""
    if isinstance(value, str):
        return {"messages": [{"role": "system", "content": value}]}
    return {"messages": value} if isinstance(value, list) else value


def _refuse_flat(flat: dict[str, Any], beside_models: bool, problems: Problems) -> None:
    for key in flat:
        if beside_models and key in ("provider", "model"):
            problems.add(("runtime", key), "stands beside `models`; move it into an entry there")
        else:
            known = ("models", "default_model")
            problems.add(("runtime", key), f"unknown key{did_you_mean(key, known)} Allowed: {', '.join(known)}")


def _named(value: Any, path: KeyPath, what: str, problems: Problems) -> list[Part]:
    if value is None:
        return []
    if not isinstance(value, list | dict):
        problems.add(path, f"must be a list, or a mapping from names, not {kind(value)}")
        return []
    if isinstance(value, dict):
        return list(_from_mapping(value, path, what, problems))
    found = list(_from_list(value, path, what, problems))
    _refuse_duplicates(found, what, problems)
    return found


def _from_list(items: list[Any], path: KeyPath, what: str, problems: Problems) -> Iterator[Part]:
    for number, item in enumerate(items):
        place = (*path, number)
        if not isinstance(item, dict):
            problems.add(place, f"{what} must be a mapping, not {kind(item)}")
        elif not isinstance(item.get("name"), str):
            missing = (
                "is missing" if "name" not in item else f"must be text, not {kind(item['name'])}; put it in quotes"
            )
            problems.add((*place, "name"), missing)
        else:
            yield Part(place, item["name"], item)


def _from_mapping(items: dict[str, Any], path: KeyPath, what: str, problems: Problems) -> Iterator[Part]:
    for name, item in items.items():
        place = (*path, name)
        if not isinstance(item, dict):
            problems.add(place, f"{what} must be a mapping, not {kind(item)}")
        elif item.get("name", name) != name:
            problems.add((*place, "name"), f"says {item['name']!r}, but its key is {name!r}; leave one out")
        else:
            yield Part(place, name, {"name": name, **item})


def _refuse_duplicates(parts: list[Part], what: str, problems: Problems) -> None:
    seen: dict[str, Part] = {}
    for part in parts:
        if first := seen.get(part.name):
            line = problems.mark((*first.path, "name"))[0]
            problems.add((*part.path, "name"), f"{what} named {part.name!r} is already in line {line}")
        seen.setdefault(part.name, part)
