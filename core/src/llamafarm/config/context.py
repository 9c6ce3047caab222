"""What every part of the loader works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from llamafarm.config.check import Wrong, check
from llamafarm.config.interpolate import Interpolated
from llamafarm.config.problems import KeyPath, Problems
from llamafarm.plugins.manager import PluginManager

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Loading:
    """One file being read: its plugins, its variables, its problems so far."""

    plugins: PluginManager
    values: Interpolated
    problems: Problems

    def check(
        self, model: type[Model], data: Mapping[str, Any], path: KeyPath, also: tuple[str, ...] = ()
    ) -> Model | list[Wrong]:
        """Validate what stands at `path`; what is wrong is returned, not noted."""
        folder = self.problems.file.absolute().parent
        return check(model, data, texts=_below(self.values.texts, path), also=also, folder=folder)

    def checked(self, model: type[Model], data: Any, path: KeyPath, also: tuple[str, ...] = ()) -> Model | None:
        """Validate what stands at `path`, and note what is wrong."""
        found = self.check(model, data, path, also)
        if not isinstance(found, list):
            return found
        missing = self.missing_below(path)
        for wrong in found:
            if wrong.place in missing:
                continue  # told as a missing variable
            self.problems.add((*path, *wrong.place), wrong.message)
        return None

    def missing_below(self, path: KeyPath) -> dict[KeyPath, str]:
        """The variables that are set nowhere and stand below `path`, by the rest of their path."""
        return _below(self.values.missing, path)


def _below(found: Mapping[KeyPath, str], path: KeyPath) -> dict[KeyPath, str]:
    return {place[len(path) :]: text for place, text in found.items() if place[: len(path)] == path and place != path}
