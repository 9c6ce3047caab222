"""What every part of the loader works with: one file being read, and its parts held against pydantic models.

The rules are JSON's: a text is no number. Only where a variable was filled in, its text may count as either.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from llamafarm.config.document import resolve_or_keep
from llamafarm.config.interpolate import Interpolated
from llamafarm.config.problems import KeyPath, Problems, at
from llamafarm.config.words import explain
from llamafarm.plugins.manager import PluginManager
from llamafarm.providers.entry import CONFIG_FOLDER

Model = TypeVar("Model", bound=BaseModel)
Wrong = list[tuple[KeyPath, str]]
"""What is wrong: each problem with its place below what was checked."""


@dataclass(frozen=True)
class Loading:
    """One file being read: its plugins, its variables, its problems so far."""

    plugins: PluginManager
    values: Interpolated
    problems: Problems

    def checked(
        self,
        model: type[Model],
        data: Any,
        path: KeyPath,
        also: tuple[str, ...] = (),
        elsewhere: Collection[str] = (),
    ) -> Model | None:
        """Validate what stands at `path`, and note what is wrong whatever the missing variables will be.

        also: keys that are allowed beside the model's own fields, for the message about an unknown one. elsewhere: keys
        that stand at another place, where it is told what is wrong with them.
        """
        found = self.check(model, data, path, also)
        if not isinstance(found, list):
            return found
        missing = self.missing_below(path)
        for place, message in found:
            told = place[:1] and place[0] in elsewhere
            if not told and not any(variable[: len(place)] == place for variable in missing):
                self.problems.add((*path, *place), message)
        return None

    def check(self, model: type[Model], data: Any, path: KeyPath, also: tuple[str, ...] = ()) -> Model | Wrong:
        """Validate what stands at `path`; what is wrong is returned, not noted."""
        texts = _below(self.values.texts, path)
        found = self._validated(model, data)
        if isinstance(found, ValidationError) and (misread := _misread(found, texts)):
            data = _read_otherwise(data, {place: texts[place] for place in misread})
            found = self._validated(model, data)
        if not isinstance(found, ValidationError):
            return found
        return [
            (place, f"{message} (from a variable)" if place in texts else message)
            for place, message in explain(found, model, data, also)
        ]

    def _validated(self, model: type[Model], data: Any) -> Model | ValidationError:
        context = {CONFIG_FOLDER: str(self.problems.file.absolute().parent)}
        try:
            return model.model_validate_json(json.dumps(data), strict=True, context=context)
        except ValidationError as error:
            return error

    def missing_below(self, path: KeyPath) -> dict[KeyPath, str]:
        """The variables that are set nowhere and stand below `path`, by the rest of their path."""
        return _below(self.values.missing, path)


def _below(found: Mapping[KeyPath, str], path: KeyPath) -> dict[KeyPath, str]:
    return {place[len(path) :]: text for place, text in found.items() if place[: len(path)] == path and place != path}


def _misread(error: ValidationError, texts: Iterable[KeyPath]) -> list[KeyPath]:
    """The scalars from variables that the model does not take as they are."""
    wrong = [one["loc"] for one in error.errors(include_input=False, include_url=False)]
    return [place for place in texts if any(loc[: len(place)] == place for loc in wrong)]


def _read_otherwise(data: Any, texts: Mapping[KeyPath, str]) -> Any:
    """The data with these texts as what they may stand for, and with what they stood for as these texts."""
    data = copy.deepcopy(data)
    for place, text in texts.items():
        holder = at(data, place[:-1])
        holder[place[-1]] = resolve_or_keep(text) if isinstance(holder[place[-1]], str) else text
    return data
