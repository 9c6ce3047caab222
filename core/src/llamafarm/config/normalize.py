"""The forms in which users write `runtime` and `prompts` → one form, each part with the path that the user wrote it at.

`runtime.models` is a list of entries, or a mapping from names to entries; or the fields of one entry stand directly in
`runtime`, and become the model `default`. `prompts` is a list of sets, a mapping from names to messages or a text, or
one list of messages, which becomes the set `default`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from llamafarm.config.document import kind
from llamafarm.config.problems import KeyPath, Problems, nearest
from llamafarm.config.words import unknown_key

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
            problems.add(("runtime", key), unknown_key(key, ("models", "default_model")))


def _named(value: Any, path: KeyPath, what: str, problems: Problems) -> list[Part]:
    """The items of a list, each with its `name`, or of a mapping from names."""
    if value is None:
        return []
    if not isinstance(value, list | dict):
        problems.add(path, f"must be a list, or a mapping from names, not {kind(value)}")
        return []
    parts: list[Part] = []
    for key, item in enumerate(value) if isinstance(value, list) else value.items():
        place = (*path, key)
        if not isinstance(item, dict):
            problems.add(place, f"{what} must be a mapping, not {kind(item)}")
            continue
        data = {"name": key, **item} if isinstance(key, str) else item
        name = data.get("name")
        if isinstance(key, str) and name != key:
            problems.add((*place, "name"), f"says {name!r}, but its key is {key!r}; leave one out")
        elif "name" not in data:
            problems.add((*place, "name"), "is missing")
        elif not isinstance(name, str):
            problems.add((*place, "name"), f"must be text, not {kind(name)}; put it in quotes")
        else:
            if first := next((part for part in parts if part.name == name), None):
                line = problems.mark((*first.path, "name"))[0]
                problems.add((*place, "name"), f"{what} named {name!r} is already in line {line}")
            parts.append(Part(place, name, data))
    return parts
