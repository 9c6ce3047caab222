"""What the official distributions bring, known without having them: see catalogue.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

Kind = Literal["provider", "agent handler", "section", "command"]


def requirement(kind: Kind, name: str) -> str | None:
    """Return what to give to pip for `name`, or None where no official distribution brings it."""
    return _catalogue()[kind].get(name)


def names(kind: Kind) -> tuple[str, ...]:
    """Return the official names of that kind, installed or not."""
    return tuple(_catalogue()[kind])


def pip_command(kind: Kind, name: str) -> str | None:
    """Return the command that installs `name`, to be pasted into a shell, or None."""
    wanted = requirement(kind, name)
    if wanted is None:
        return None
    return f'pip install "{wanted}"' if "[" in wanted else f"pip install {wanted}"


@cache
def _catalogue() -> dict[str, dict[str, str]]:
    return tomllib.loads(files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8"))
