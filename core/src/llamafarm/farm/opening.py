"""Opening a project by its file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from llamafarm.config import find_config, load_project
from llamafarm.config.find import config_in
from llamafarm.errors import ConfigError
from llamafarm.farm.farm import Farm, serving
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import Project

if TYPE_CHECKING:
    from llamafarm.farm.sync import SyncFarm


class OpenFarm:
    """What `llamafarm.open` returns: to be entered with `async with`, or with `with` where there is no event loop."""

    def __init__(self, config: Path | None, environ: Mapping[str, str]) -> None:
        self._config = config
        self._environ = environ
        self._stack = AsyncExitStack()
        self._sync = ExitStack()

    async def __aenter__(self) -> Farm:
        plugins = PluginManager(environ=self._environ)
        project = await asyncio.to_thread(_load, self._config, plugins, self._environ)
        return await self._stack.enter_async_context(serving(project, plugins, self._environ))

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def __enter__(self) -> SyncFarm:
        from llamafarm.farm.sync import entered

        return self._sync.enter_context(entered(self))

    def __exit__(self, *_: object) -> None:
        self._sync.close()


def open(config: str | Path | None = None, *, environ: Mapping[str, str] | None = None) -> OpenFarm:  # noqa: A001
    """Open a project: `async with llamafarm.open() as farm`, or `with llamafarm.open() as farm` in a script.

    config: its llamafarm.yaml, or the folder of it; None looks for one in the working directory and above it. Entering
    it raises ConfigError where there is none, or it is wrong. environ: variables, in place of those of the process.
    """
    return OpenFarm(None if config is None else Path(config), os.environ if environ is None else environ)


def _load(config: Path | None, plugins: PluginManager, environ: Mapping[str, str]) -> Project:
    path = config_in(config) if config is not None and config.is_dir() else config or find_config(Path.cwd())
    if path is None:
        raise ConfigError(
            f"There is no llamafarm.yaml in {config or Path.cwd()}{'' if config else ' or above it'}.",
            hint="`lf init` writes one that works as it is.",
        )
    return load_project(path, plugins, environ=environ)
