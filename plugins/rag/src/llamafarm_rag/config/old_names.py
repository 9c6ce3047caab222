"""What older files of the product say: names that are taken, and names that are refused with what to write now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def renamed(options: Any, new_names: Mapping[str, str], refused: Mapping[str, str]) -> Any:
    """The options by their names of today.

    new_names: by the old one. refused: by an option that nobody follows, what to write in its place. Raises ValueError,
    which is the located error of a validator, for such an option, and for an option under both names.
    """
    if not isinstance(options, dict):
        return options  # the model says what is wrong with it
    for old, instead in refused.items():
        if old in options:
            raise ValueError(f"`{old}` is not followed here: {instead}")
    for old, new in new_names.items():
        if old in options and new in options:
            raise ValueError(f"`{old}` is the old name of `{new}`, and both are there")
    return {new_names.get(name, name): value for name, value in options.items()}
