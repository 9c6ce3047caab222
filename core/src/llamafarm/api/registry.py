"""The projects that a server knows: the one that it was started for, and those in the data directory."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from llamafarm.config.dotenv import DOTENV
from llamafarm.config.find import config_in
from llamafarm.errors import LlamaFarmError, UsageError
from llamafarm.project import Project

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
"""What a namespace or name in a URL may be; never a way out of the folder of projects."""

Load = Callable[[Path], Project]
Stamp = tuple[int, ...]

LOOK_EVERY_SECONDS = 1.0
log = logging.getLogger(__name__)


class _File:
    """One configuration: the project that it was when it was last right, and what is wrong with it since."""

    def __init__(self, path: Path, project: Project | None = None) -> None:
        self.path = path
        self.project = project
        self.problem: LlamaFarmError | None = None
        self.stamp: Stamp | None = None if project is None else _stamp(path)
        self.looked = time.monotonic()
        self.reading = asyncio.Lock()

    def has_changed(self, every: float) -> bool:
        """Whether it is to be read; it is looked at once in `every` seconds."""
        if self.stamp is not None and time.monotonic() - self.looked < every:
            return False
        self.looked = time.monotonic()
        return self.stamp != _stamp(self.path)


class Projects:
    """Finds projects by `namespace/name`.

    A file that has changed, or its `.env`, is read again, beside the event loop; while it is read, and where it has
    become wrong, what it said before stays in service.

    default: the project of requests without a project in their path. root: the folder that holds the others, as
    `NAMESPACE/NAME/llamafarm.yaml`. load: reads one file. look_every: seconds between two looks at a file.
    """

    def __init__(
        self,
        default: Project | None,
        *,
        root: Path | None = None,
        load: Load | None = None,
        look_every: float = LOOK_EVERY_SECONDS,
    ) -> None:
        self._default = default
        self._root = root
        self._load = load
        self._look_every = look_every
        self._files: dict[Path, _File] = {}
        if default is not None and default.path is not None and default.path.exists():
            self._files[default.path] = _File(default.path, default)

    async def default(self) -> Project | None:
        """The project of the working directory."""
        path = self._default.path if self._default else None
        if path in self._files:
            self._default = await self._read(path)
        return self._default

    async def of(self, path: Mapping[str, str]) -> Project:
        """The project that the path of a request names, or the default one. Raises UsageError (404) and ConfigError."""
        if "namespace" in path:
            return await self.find(path["namespace"], path["project"])
        project = await self.default()
        if project is None:
            raise UsageError(
                "This server was started where there is no llamafarm.yaml.",
                hint="Name a project: /v1/projects/NAMESPACE/NAME/…; `GET /v1/projects` lists them.",
                code="project_not_found",
            )
        return project

    async def find(self, namespace: str, name: str) -> Project:
        """The project of that name. Raises UsageError (404), and ConfigError where its file was never right."""
        if self._default is not None and (self._default.namespace, self._default.name) == (namespace, name):
            return await self.default() or self._default
        path = self._path(namespace, name)
        if path is None:
            raise UsageError(
                f"There is no project {namespace}/{name}.",
                hint="`GET /v1/projects` lists those that there are.",
                code="project_not_found",
            )
        return await self._read(path)

    async def all(self) -> list[tuple[str, str, Project | LlamaFarmError]]:
        """Every project by its namespace and name, the default one first; in place of a broken one, what is wrong."""
        names = [(self._default.namespace, self._default.name)] if self._default else []
        folders = sorted(self._root.glob("*/*")) if self._root else []
        names += [key for folder in folders if (key := (folder.parent.name, folder.name)) not in names]
        projects: list[tuple[str, str, Project | LlamaFarmError]] = []
        for namespace, name in names:
            try:
                projects.append((namespace, name, await self.find(namespace, name)))
            except UsageError:
                continue  # a folder without a configuration
            except LlamaFarmError as error:
                projects.append((namespace, name, error))
        return projects

    def problem(self, project: Project) -> LlamaFarmError | None:
        """What is wrong with the project's file, where the project is older than that."""
        file = self._files.get(project.path) if project.path else None
        return file.problem if file else None

    def _path(self, namespace: str, name: str) -> Path | None:
        if self._root is None or not (NAME.fullmatch(namespace) and NAME.fullmatch(name)):
            return None
        return config_in(self._root / namespace / name)

    async def _read(self, path: Path) -> Project:
        file = self._files.get(path) or self._files.setdefault(path, _File(path))
        if file.project is None or not file.reading.locked():
            async with file.reading:
                if self._load is not None and file.has_changed(self._look_every):
                    await self._read_again(file, self._load)
        if file.project is None:
            assert file.problem is not None
            raise file.problem.with_traceback(None)
        return file.project

    async def _read_again(self, file: _File, load: Load) -> None:
        before, stamp = file.project, _stamp(file.path)
        try:
            file.project, file.problem = await asyncio.to_thread(load, file.path), None
        except LlamaFarmError as error:
            file.problem = error
            log.error("%s%s", error, "" if before is None else "\nWhat the file said before stays in service.")
        else:
            if before is not None:
                log.info("%s was read again.", file.path)
        file.stamp = stamp  # not before: a client that goes away meanwhile ends the reading


def _stamp(path: Path) -> Stamp:
    """What changes when a configuration is written, or the variables beside it."""
    stamp: Stamp = ()
    for file in (path, path.with_name(DOTENV)):
        with suppress(OSError):  # a file that is gone: reading it says so
            stat = file.stat()
            stamp += (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return stamp
