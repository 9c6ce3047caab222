"""Where a model's configuration could have code executed, and the refusal of it. Imports nothing heavy.

transformers, sentence-transformers and peft execute Python that comes with a model (`auto_map`, `custom_pipelines`),
import classes that a configuration names by their path (modules, activations, `auto_mapping`), and fetch compiled
kernels from other repositories (`attn_implementation: org/name`). Most of that they do only with trust_remote_code;
not all of it: a configuration within a configuration is loaded without asking again. So every configuration file is
read whole before any library sees it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from llamafarm_universal.failure import RequestFailed

_FILES = ("*config*.json", "modules.json", "model_index.json")
_MAX_BYTES = 16_000_000
_OWN_CODE = ("auto_map", "custom_pipelines", "trust_remote_code")
_CLASSES = {
    "activation_function": ("torch.nn.",),  # of a Dense module
    "activation_fn": ("torch.nn.",),  # of a cross-encoder
    "sbert_ce_default_activation_function": ("torch.nn.",),
    "tokenizer_class": ("sentence_transformers.", "transformers."),
    "parent_library": ("transformers.", "sentence_transformers.", "diffusers."),  # of peft's auto_mapping
    "megatron_core": ("megatron.core",),
}
"""Fields that hold the path of a class or module to import, and where that may lie."""
_MODULES = ("sentence_transformers.",)
"""Where the types of modules.json and of a router's configuration may lie."""
_LIBRARIES = ("diffusers", "transformers")
"""Of the parts of a pipeline, which diffusers imports by the name of their library, whatever that is."""


def refuse_remote_code(model: str, folder: Path, *, trusted: bool) -> None:
    """Refuse a folder whose configuration would have code executed, or classes imported that no library here brings.

    Raises RequestFailed that names the file and the field.
    """
    if trusted:
        return
    for path in sorted({path for pattern in _FILES for path in folder.rglob(pattern) if path.is_file()}):
        name = path.relative_to(folder).as_posix()
        for field, cause in _demands(path.name, _read(path, model, name)):
            raise RequestFailed(
                "not_supported",
                f"`{model}` {cause}, which is not done unless you allow it (`{field}` in {name}).",
                hint="If you trust its author, set `trust_remote_code: true` for this model, with a pinned `revision`.",
                param="trust_remote_code",
            )


def _read(path: Path, model: str, name: str) -> Any:
    if path.stat().st_size > _MAX_BYTES:
        raise RequestFailed("load_failed", f"`{model}` has a {name} of more than {_MAX_BYTES:,} bytes.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise RequestFailed("load_failed", f"`{model}` has a {name} that is not JSON: {error}") from error


def _demands(file: str, configuration: Any) -> Iterator[tuple[str, str]]:
    """The fields that would have code executed, each with what it asks for."""
    if file == "model_index.json":
        yield from _foreign_parts(configuration)
    for path, key, value in _fields(configuration):
        if key in _OWN_CODE and value:
            yield path, "brings its own Python code"
        elif _is_kernel(key, value):
            yield path, "asks for kernels of another repository, which are code"
        elif _is_foreign(value, _allowed(file, path, key)):
            yield path, f"has `{value}` imported"


def _foreign_parts(index: Any) -> Iterator[tuple[str, str]]:
    """The parts of a pipeline that come from elsewhere: a file beside them, or any module that can be imported."""
    if not isinstance(index, dict):
        return
    for name, value in index.items():
        if name == "_class_name" and not isinstance(value, str):
            yield name, "brings its own Python code"
        elif not name.startswith("_") and isinstance(value, list) and value and not _is_known_library(value[0]):
            yield name, f"has parts of `{str(value[0])[:100]}` imported"


def _is_known_library(name: Any) -> bool:
    """Whether the parts of a pipeline may come from there; None: there is no such part.

    diffusers has some beside the pipelines that they belong to, in a module of that name.
    """
    if name is None or name in _LIBRARIES:
        return True
    installed = PathFinder.find_spec("diffusers")
    folders = (installed.submodule_search_locations if installed else None) or ()
    return (
        isinstance(name, str)
        and name.isidentifier()
        and any((Path(at) / "pipelines" / name).is_dir() for at in folders)
    )


def _fields(configuration: Any) -> Iterator[tuple[str, str, Any]]:
    """Every field at any depth: its path, its key and its value."""
    left: list[tuple[str, Any]] = [("", configuration)]
    while left:
        path, value = left.pop()
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            inner = f"{path}.{key}" if path else str(key)
            yield inner, str(key), item
            left.append((inner, item))


def _is_kernel(key: str, value: Any) -> bool:
    """Attention and experts are names of kernels where they have a slash; there may be one for each part of a model."""
    if not key.endswith(("attn_implementation", "experts_implementation", "attn_implementation_internal")):
        return False
    texts = [value, *(item for _, _, item in _fields(value))]
    return any(isinstance(text, str) and "/" in text for text in texts)


def _allowed(file: str, path: str, key: str) -> tuple[str, ...] | None:
    """Where a class may lie that a field names; None for fields that name none."""
    if file == "modules.json" and key == "type":
        return _MODULES
    if file == "router_config.json" and path.startswith("types."):
        return _MODULES
    return _CLASSES.get(key)


def _is_foreign(value: Any, allowed: tuple[str, ...] | None) -> bool:
    return allowed is not None and isinstance(value, str) and "." in value and not value.startswith(allowed)
