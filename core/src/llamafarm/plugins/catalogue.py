"""What the official distributions bring and how they are had, known without having them: see catalogue.toml."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

Kind = Literal["provider", "agent handler", "section", "command"]


def names(kind: Kind) -> tuple[str, ...]:
    """Return the official names of that kind, installed or not."""
    return tuple(_catalogue()[kind])


def requirement(kind: Kind, name: str) -> str | None:
    """Return what to give to pip for `name`, or None where no official distribution brings it."""
    wanted: str | None = _catalogue()[kind].get(name)
    return wanted


def remedy(kind: Kind, name: str) -> str | None:
    """Return the sentence that says how `name` is had, without its full stop; None for a name that is not official."""
    wanted = requirement(kind, name)
    return None if wanted is None else f"Install it: {pip_command(wanted)}"


def served_by(name: str) -> tuple[str, str | None] | None:
    """Return the provider that serves what users call `name`, and its usual address; None where nothing is known."""
    found = _catalogue()["served by"].get("".join(filter(str.isalnum, name.lower())))
    if found is None:
        return None
    provider, _, base_url = found.partition(" ")
    return provider, base_url or None


def pip_command(wanted: str) -> str:
    """Return the command that installs a distribution of LlamaFarm, with extras or without, to be pasted into a shell.

    Where this core was installed from a clone, the distribution comes from the same clone, else by its name.
    """
    root = _clone()
    folders = [root / folder for folder in _catalogue()["folders"].get(_project(wanted), ())] if root else []
    if not folders or not all(folder.is_dir() for folder in folders):
        return f"pip install {_quoted(wanted)}"
    *below, own = map(str, folders)
    return f"pip install {' '.join(map(_quoted, [*below, own + wanted[len(_project(wanted)) :]]))}"


def _project(wanted: str) -> str:
    return wanted.partition("[")[0]


def _quoted(word: str) -> str:
    return f'"{word}"' if any(character in word for character in "[ \\") else word


@cache
def _clone() -> Path | None:
    """The root of the clone whose folder `core` this core was installed from (PEP 610); None where it was not."""
    origin = json.loads(distribution("llamafarm").read_text("direct_url.json") or "{}")
    return Path(url2pathname(urlsplit(origin["url"]).path)).parent if "dir_info" in origin else None


@cache
def _catalogue() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8"))
