"""The forms in which users write `runtime` and `prompts` → lists; the places of all parts move with them.

`runtime.models` is a list of entries, or a mapping from names to entries; or the fields of one entry stand directly in
`runtime`, and become the model `default`. `prompts` is a list of sets, a mapping from names to messages or a text, or
one list of messages, which becomes the set `default`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm.config.document import Document
from llamafarm.config.problems import KeyPath, Place, nearest

LEGACY_NAME = "default"
RUNTIME: KeyPath = ("runtime",)
MODELS: KeyPath = (*RUNTIME, "models")
PROMPTS: KeyPath = ("prompts",)

Moves = dict[KeyPath, KeyPath]
"""Where something was written → where it stands in the one form."""


def normalize(document: Document) -> None:
    """Bring a document into the one form. What has none of the known forms stays, for the check to refuse."""
    moves: Moves = {}
    data = document.data
    if "runtime" in data:
        data["runtime"] = _runtime(data["runtime"], moves)
    if "prompts" in data:
        data["prompts"] = _prompts(data["prompts"], moves)
    document.places = _moved(document.places, moves)


def _runtime(runtime: Any, moves: Moves) -> Any:
    if not isinstance(runtime, dict):
        return runtime
    if "models" not in runtime and (
        not runtime.keys().isdisjoint(("provider", "model")) or nearest("provider", runtime)
    ):
        default = {key: runtime.pop(key) for key in ("default_model",) if key in runtime}
        moves.update({RUNTIME: (*MODELS, 0), (*RUNTIME, "default_model"): (*RUNTIME, "default_model")})
        return {**default, "models": [{"name": LEGACY_NAME, **runtime}]}
    if isinstance(models := runtime.get("models"), dict):
        moves.update({(*MODELS, name): (*MODELS, number) for number, name in enumerate(models)})
        return {**runtime, "models": [_named(name, entry) for name, entry in models.items()]}
    return runtime


def _prompts(prompts: Any, moves: Moves) -> Any:
    if isinstance(prompts, list) and prompts and isinstance(prompts[0], dict) and "role" in prompts[0]:
        moves[PROMPTS] = (*PROMPTS, 0, "messages")
        return [{"name": LEGACY_NAME, "messages": prompts}]
    if not isinstance(prompts, dict):
        return prompts
    sets = []
    for number, (name, written) in enumerate(prompts.items()):
        prompt_set, within = _prompt_set(written)
        moves[*PROMPTS, name] = (*PROMPTS, number, *within)
        sets.append(_named(name, prompt_set))
    return sets


def _prompt_set(written: Any) -> tuple[Any, KeyPath]:
    """The set, and where in it stands what was written: a text is one system message, a list is the messages."""
    if isinstance(written, str):
        return {"messages": [{"role": "system", "content": written}]}, ("messages", 0, "content")
    if isinstance(written, list):
        return {"messages": written}, ("messages",)
    return written, ()


def _named(name: str, item: Any) -> Any:
    return {"name": name, **item} if isinstance(item, dict) else item


def _moved(places: Mapping[KeyPath, Place], moves: Moves) -> dict[KeyPath, Place]:
    """The places under their new paths; what was put around something stands where that stands."""
    found = {_new_path(path, moves): place for path, place in places.items()}
    for old, new in moves.items():
        for length in range(len(old), len(new)):
            found.setdefault(new[:length], places[old])
    return found


def _new_path(path: KeyPath, moves: Moves) -> KeyPath:
    """The path after the move of its longest beginning that was moved."""
    for length in range(min(len(path), len(MODELS) + 1), 0, -1):
        if path[:length] in moves:
            return (*moves[path[:length]], *path[length:])
    return path
