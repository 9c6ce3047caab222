"""Data against a pydantic model: the validated object, or problems in words, each at the key that the user wrote.

The rules are JSON's: a text is no number. Only where a variable was filled in, its text may count as either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from llamafarm.config.document import resolve
from llamafarm.config.problems import KeyPath
from llamafarm.config.words import explain
from llamafarm.providers.entry import CONFIG_FOLDER

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Wrong:
    """One problem below the place that was checked."""

    place: KeyPath
    message: str


def check(
    model: type[Model],
    data: Mapping[str, Any],
    *,
    texts: Mapping[KeyPath, str] | None = None,
    also: tuple[str, ...] = (),
    folder: Path | None = None,
) -> Model | list[Wrong]:
    """Validate `data`. texts: place → text of each scalar that came from a variable. also: keys that are allowed beside
    the model's own fields, for the message about an unknown one. folder: what paths in it are relative to."""
    data = json.loads(json.dumps(data))
    for place in _misread(model, data, texts or {}):
        _put(data, place, _other_reading(_get(data, place), (texts or {})[place]))
    try:
        context = {CONFIG_FOLDER: str(folder)} if folder else None
        return model.model_validate_json(json.dumps(data), strict=True, context=context)
    except ValidationError as error:
        wrong = explain(error, model, data, also)
        return [
            Wrong(place, f"{message} (from a variable)" if place in (texts or {}) else message)
            for place, message in wrong
        ]


def _misread(model: type[BaseModel], data: Any, texts: Mapping[KeyPath, str]) -> list[KeyPath]:
    """The scalars from variables that the model does not take as they are."""
    if not texts:
        return []
    try:
        model.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        places = [tuple(one["loc"]) for one in error.errors(include_input=False, include_url=False)]
        return [text for text in texts if any(place[: len(text)] == text for place in places)]
    return []


def _other_reading(value: Any, text: str) -> Any:
    if not isinstance(value, str):
        return text
    try:
        return resolve(text)
    except ValueError:
        return text


def _get(data: Any, place: KeyPath) -> Any:
    for part in place:
        data = data[part]
    return data


def _put(data: Any, place: KeyPath, value: Any) -> None:
    _get(data, place[:-1])[place[-1]] = value
