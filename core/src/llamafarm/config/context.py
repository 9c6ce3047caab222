"""What every part of the loader works with: one file being read, and its parts held against pydantic models.

The rules are JSON's: a text is no number. Only where a variable was filled in, its text may count as either.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from llamafarm.config.interpolate import Interpolated, replaced
from llamafarm.config.problems import KeyPath, Problems, at
from llamafarm.config.words import explain
from llamafarm.plugins.manager import PluginManager
from llamafarm.providers.entry import CONFIG_FOLDER

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Loading:
    """One file being read: its plugins, its variables, its secrets, its problems and warnings so far."""

    plugins: PluginManager
    values: Interpolated
    secrets: frozenset[str]
    problems: Problems
    warnings: list[str] = field(default_factory=list)

    def mappings(self, *path: str) -> list[tuple[KeyPath, dict[str, Any]]]:
        """The mappings in the list at `path`, each with its path; anything else there is a problem told elsewhere."""
        items: Any = self.values.data
        for key in path:
            items = items.get(key) if isinstance(items, dict) else None
        numbered = enumerate(items if isinstance(items, list) else ())
        return [((*path, number), item) for number, item in numbered if isinstance(item, dict)]

    def text(self, *path: str | int) -> str | None:
        """What stands at `path`, where it is a text or a variable that may be read as one."""
        try:
            readings = (at(self.values.data, path), self.values.otherwise.get(path))
        except (KeyError, IndexError, TypeError):
            return None
        return next((value for value in readings if isinstance(value, str)), None)

    def names(self, *path: str) -> dict[KeyPath, str]:
        """The names of the mappings in the list at `path`, each by the path of what has it."""
        named = ((place, self.text(*place, "name")) for place, _ in self.mappings(*path))
        return {place: name for place, name in named if name is not None}

    def checked(self, model: type[Model], data: Any, path: KeyPath, elsewhere: Collection[str] = ()) -> Model | None:
        """Validate what stands at `path`, and note what is wrong whatever the missing variables will be.

        elsewhere: keys that stand at another place, where it is told what is wrong with them.
        """
        found = self.validated(model, data)
        if isinstance(found, ValidationError) and (misread := self._misread(found, path)):
            data = replaced(data, misread)
            found = self.validated(model, data)
        if not isinstance(found, ValidationError):
            return found
        for below, message in explain(found, model, data):
            place = (*path, *below)
            if (below[:1] and below[0] in elsewhere) or any(self.missing(place)):
                continue
            self.note_value(place, message)
        return None

    def validated(self, model: type[Model], data: Any) -> Model | ValidationError:
        """What pydantic makes of the data, or says about it."""
        context = {CONFIG_FOLDER: str(self.problems.file.absolute().parent)}
        try:
            return model.model_validate_json(json.dumps(data), strict=True, context=context)
        except ValidationError as error:
            return error

    def note_value(self, path: KeyPath, message: str) -> None:
        """Note what is wrong with a value, and that it is a variable's where it is."""
        self.problems.add(path, f"{message} (from a variable)" if path in self.values.otherwise else message)

    def missing(self, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
        """The variables that are set nowhere and stand at `path` or below, each with its place."""
        return ((place, name) for place, name in self.values.missing.items() if place[: len(path)] == path)

    def _misread(self, error: ValidationError, path: KeyPath) -> dict[KeyPath, Any]:
        """The scalars from variables that the model does not take as they are, and what else they stand for."""
        wrong = [(*path, *details["loc"]) for details in error.errors(include_input=False, include_url=False)]
        return {
            place[len(path) :]: value
            for place, value in self.values.otherwise.items()
            if len(place) > len(path) and any(loc[: len(place)] == place for loc in wrong)
        }
