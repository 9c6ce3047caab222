"""The projects that a server knows: the one that it was started for, and those in the data directory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from llamafarm.config.dotenv import DOTENV
from llamafarm.config.find import config_in
from llamafarm.errors import LlamaFarmError, UsageError
from llamafarm.project import Project

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
"""What a namespace or name in a URL may be; never a way out of the folder of projects."""

Load = Callable[[Path], Project]
Stamp = tuple[int, ...]


@dataclass(frozen=True)
class BrokenProject:
    """A project whose file cannot be read."""

    namespace: str
    name: str
    error: LlamaFarmError


class Projects:
    """Finds projects by `namespace/name`. A file that has changed, or its `.env`, is read again at the next request.

    default: the project of requests without a project in their path. root: the folder that holds the others, as
    `NAMESPACE/NAME/llamafarm.yaml`. load: reads one file.
    """

    def __init__(self, default: Project | None, *, root: Path | None = None, load: Load | None = None) -> None:
        self._default = default
        self._root = root
        self._load = load
        self._stamps: dict[Path, Stamp] = {}
        self._loaded: dict[Path, Project] = {}
        if default is not None and default.path is not None and default.path.exists():
            self._stamps[default.path] = _stamp(default.path)
            self._loaded[default.path] = default

    @property
    def default(self) -> Project | None:
        """The project of the working directory, as its file is now. Raises ConfigError."""
        path = self._default.path if self._default else None
        if path in self._loaded:
            self._default = self._read(path)
        return self._default

    def of(self, path: Mapping[str, str]) -> Project:
        """The project that the path of a request names, or the default one. Raises UsageError (404) and ConfigError."""
        if "namespace" in path:
            return self.find(path["namespace"], path["project"])
        project = self.default
        if project is None:
            raise UsageError(
                "This server was started where there is no llamafarm.yaml.",
                hint="Name a project: /v1/projects/NAMESPACE/NAME/…; `GET /v1/projects` lists them.",
                code="project_not_found",
            )
        return project

    def find(self, namespace: str, name: str) -> Project:
        """The project of that name. Raises UsageError (404), and ConfigError where its file is wrong."""
        if self._default is not None and (self._default.namespace, self._default.name) == (namespace, name):
            return self.default or self._default
        path = self._path(namespace, name)
        if path is None:
            raise UsageError(
                f"There is no project {namespace}/{name}.",
                hint="`GET /v1/projects` lists those that there are.",
                code="project_not_found",
            )
        return self._read(path)

    def all(self) -> Iterator[Project | BrokenProject]:
        """Every project, the default one first."""
        names = [(self._default.namespace, self._default.name)] if self._default else []
        folders = sorted(self._root.glob("*/*")) if self._root else []
        names += [key for folder in folders if (key := (folder.parent.name, folder.name)) not in names]
        for namespace, name in names:
            try:
                yield self.find(namespace, name)
            except UsageError:
                continue  # a folder without a configuration
            except LlamaFarmError as error:
                yield BrokenProject(namespace, name, error)

    def _path(self, namespace: str, name: str) -> Path | None:
        if self._root is None or not (NAME.fullmatch(namespace) and NAME.fullmatch(name)):
            return None
        return config_in(self._root / namespace / name)

    def _read(self, path: Path) -> Project:
        stamp = _stamp(path)
        if self._load is not None and self._stamps.get(path) != stamp:
            self._loaded[path] = self._load(path)
            self._stamps[path] = stamp
        return self._loaded[path]


def _stamp(path: Path) -> Stamp:
    """What changes when a configuration is written, or the variables beside it."""
    return _written(path) + _written(path.with_name(DOTENV))


def _written(path: Path) -> Stamp:
    """What changes when a file is written; nothing where it is gone."""
    try:
        found = path.stat()
    except OSError:  # reading it says why
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)
