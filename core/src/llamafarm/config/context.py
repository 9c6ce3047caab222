"""What every part of the loader works with: one file being read, and its parts held against pydantic models.

The rules are JSON's: a text is no number. Only where a variable was filled in, its text may count as either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from llamafarm.config.document import resolve
from llamafarm.config.interpolate import Interpolated
from llamafarm.config.problems import KeyPath, Problems
from llamafarm.config.words import explain
from llamafarm.plugins.manager import PluginManager
from llamafarm.providers.entry import CONFIG_FOLDER

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Wrong:
    """One problem below the place that was checked."""

    place: KeyPath
    message: str


@dataclass(frozen=True)
class Loading:
    """One file being read: its plugins, its variables, its problems so far."""

    plugins: PluginManager
    values: Interpolated
    problems: Problems

    def checked(self, model: type[Model], data: Any, path: KeyPath, also: tuple[str, ...] = ()) -> Model | None:
        """Validate what stands at `path`, and note what is wrong whatever the missing variables will be.

        also: keys that are allowed beside the model's own fields, for the message about an unknown one.
        """
        found = self.check(model, data, path, also)
        if not isinstance(found, list):
            return found
        missing = self.missing_below(path)
        for wrong in found:
            if not any(place[: len(wrong.place)] == wrong.place for place in missing):
                self.problems.add((*path, *wrong.place), wrong.message)
        return None

    def check(self, model: type[Model], data: Any, path: KeyPath, also: tuple[str, ...] = ()) -> Model | list[Wrong]:
        """Validate what stands at `path`; what is wrong is returned, not noted."""
        texts = _below(self.values.texts, path)
        data = json.loads(json.dumps(data))
        for place in _misread(model, data, texts):
            _put(data, place, _other_reading(_get(data, place), texts[place]))
        try:
            context = {CONFIG_FOLDER: str(self.problems.file.absolute().parent)}
            return model.model_validate_json(json.dumps(data), strict=True, context=context)
        except ValidationError as error:
            return [
                Wrong(place, f"{message} (from a variable)" if place in texts else message)
                for place, message in explain(error, model, data, also)
            ]

    def missing_below(self, path: KeyPath) -> dict[KeyPath, str]:
        """The variables that are set nowhere and stand below `path`, by the rest of their path."""
        return _below(self.values.missing, path)


def _below(found: Mapping[KeyPath, str], path: KeyPath) -> dict[KeyPath, str]:
    return {place[len(path) :]: text for place, text in found.items() if place[: len(path)] == path and place != path}


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
