"""What the Python programs of this folder share: where LlamaFarm is, and a line of JSON for each call."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

URL = os.environ.get("LF_URL", "http://127.0.0.1:8000/v1")
"""The API of a running `lf serve`."""

_CALLS: list[tuple[str, tuple[str, ...], Callable[[str], Any]]] = []


def call(name: str, *models: str) -> Callable[[Callable[[str], Any]], Callable[[str], Any]]:
    """Mark a function that makes one call of a client, as the decorator. models: each that it is made of.

    The function gets the name of the model, and raises where the client does, or where it gives what it should not.
    """

    def marked(function: Callable[[str], Any]) -> Callable[[str], Any]:
        _CALLS.append((name, models, function))
        return function

    return marked


def report() -> None:
    """Make all calls that were marked, and print how each went."""
    for name, models, function in _CALLS:
        for model in models:
            try:
                function(model)
                error = None
            except Exception as raised:  # noqa: BLE001 - whatever a client raises is what is told
                error = f"{type(raised).__name__}: {raised}"
            print(json.dumps({"call": name, "model": model, "error": error}), flush=True)
