"""`${VAR}` and `${VAR:-default}` in the scalars of a document; `$${` stands for a plain `${`.

Variables come from the environment, else from `.env` beside the file; line ends behind their values are left out. An
unquoted scalar that comes out as a number or a boolean is one, as if it had been written there.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from llamafarm.config.document import Document, resolve_or_keep
from llamafarm.config.dotenv import DOTENV, Dotenv, read_dotenv
from llamafarm.config.problems import KeyPath, at, shown
from llamafarm.config.secrets import PUBLIC_KEYS

_VARIABLE = re.compile(r"\$(?P<escape>\$\{)|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?")


class Interpolated:
    """A document with its variables filled in. Raises ConfigError for a wrong `.env`, and only where one is needed.

    data: the document. written: path → the text of the file, of each scalar that holds the value of a variable.
    otherwise: path → what a scalar with a variable in it stands for where it is not taken as it is: a number for its
    text, or a text for its number. missing: path → variable that is set nowhere. wrong: path → what is wrong with a
    `${`. secrets: the values that came from variables.
    """

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self.written: dict[KeyPath, str] = {}
        self.otherwise: dict[KeyPath, Any] = {}
        self.missing: dict[KeyPath, str] = {}
        self.wrong: dict[KeyPath, str] = {}
        self.secrets: set[str] = set()
        self._document = document
        self._environ = environ
        self.data = self._filled(document.data, ())

    @cached_property
    def _dotenv(self) -> Dotenv:
        return read_dotenv(self._document.path.with_name(DOTENV))

    def _filled(self, value: Any, path: KeyPath) -> Any:
        """Return the value with its variables filled in."""
        if isinstance(value, dict):
            return {key: self._filled(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item, (*path, number)) for number, item in enumerate(value)]
        return self._scalar(value, path) if isinstance(value, str) and "${" in value else value

    def _scalar(self, written: str, path: KeyPath) -> Any:
        used: list[str] = []
        text = _VARIABLE.sub(lambda found: self._replacement(found, path, used), written)
        if path in self.missing or path in self.wrong:
            return written
        if used:
            self.written[path] = written
        if path[-1] not in PUBLIC_KEYS:
            self.secrets.update(used)
        value: Any = text
        otherwise = resolve_or_keep(text)
        if self._document.places[path].unquoted:
            value, otherwise = otherwise, value
        self.otherwise[path] = otherwise
        return value

    def _replacement(self, found: re.Match[str], path: KeyPath, used: list[str]) -> str:
        """What stands for one `${…}`; used: where the value of a variable is added. What is wrong is noted."""
        name, default = found["name"], found["default"]
        if found["escape"]:
            return "${"
        if name is None:
            message = "`${` begins a variable, `${NAME}` or `${NAME:-default}`; write `$${` for the text"
            self.wrong[path] = message
            return ""
        value = self._value(name, path)
        if value:
            used.append(value)
        elif default is not None:
            return default
        elif value is None and path not in self.wrong:
            self.missing[path] = name
        return value or ""

    def _value(self, name: str, path: KeyPath) -> str | None:
        """The variable without line ends behind it, which files with secrets have, as shells read them."""
        value = self._environ.get(name)
        if value is None:
            value = self._dotenv.values.get(name)
            if value is None and (line := self._dotenv.unreadable.get(name)):
                file = shown(self._document.path.with_name(DOTENV))
                self.wrong[path] = f"the variable {name} cannot be read ({file}:{line}); is a quote not closed?"
        if value is not None and value != value.encode("utf-8", "replace").decode("utf-8"):
            self.wrong[path] = f"the variable {name} is not UTF-8"
        return None if value is None else value.rstrip("\r\n")


def replaced(data: Any, values: Mapping[KeyPath, Any]) -> Any:
    """A copy of the data with other values at some paths."""
    data = copy.deepcopy(data)
    for path, value in values.items():
        at(data, path[:-1])[path[-1]] = value
    return data
