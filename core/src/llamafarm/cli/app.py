"""What a command works with: the project, the plugins and the farm, each made when it is first used."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from llamafarm.cli.remote import RemoteFarm
    from llamafarm.farm.farm import Farm, OpenFarm
    from llamafarm.plugins.manager import PluginManager
    from llamafarm.project import Project

Result = TypeVar("Result")


@dataclass
class App:
    """The settings of one command line: which configuration file, which folder, how much to show."""

    config: Path | None
    cwd: Path
    debug: bool

    @cached_property
    def plugins(self) -> PluginManager:
        """The installed plugins; none of them is imported yet."""
        from llamafarm.plugins.manager import PluginManager

        return PluginManager()

    @cached_property
    def config_path(self) -> Path | None:
        """The configuration file: `--config`, else the nearest llamafarm.yaml in this folder or above it."""
        from llamafarm.config import find_config

        return (self.cwd / self.config) if self.config else find_config(self.cwd)

    @cached_property
    def project(self) -> Project:
        """The project, checked. Raises ConfigError, also where there is none."""
        from llamafarm.config import load_project
        from llamafarm.errors import ConfigError

        if self.config_path is None:
            raise ConfigError(
                f"There is no llamafarm.yaml in {self.cwd} or above it.",
                hint="`lf init` writes one that works as it is; `--config FILE` names another.",
            )
        return load_project(self.config_path, self.plugins)

    @property
    def project_or_none(self) -> Project:
        """The project, or NO_PROJECT where there is no configuration. Raises ConfigError where it is wrong."""
        from llamafarm.project import NO_PROJECT

        return NO_PROJECT if self.config_path is None else self.project

    @cached_property
    def data(self) -> Path:
        """The data directory; it may not exist yet."""
        from llamafarm.paths import data_dir

        return data_dir(os.environ)

    def farm(self, project: Project | None = None) -> AbstractAsyncContextManager[Farm]:
        """The project, or the one that is given, open for use. It is closed afterwards."""
        from llamafarm.farm.farm import serving

        return serving(self.project if project is None else project, self.plugins)

    @asynccontextmanager
    async def opened(self, server_url: str | None) -> AsyncIterator[Farm | RemoteFarm]:
        """Whom to ask: the API server that is named, else the project, opened in this process."""
        if server_url:
            from llamafarm.cli.remote import RemoteFarm

            async with aclosing(RemoteFarm(server_url)) as server:
                yield server
        else:
            async with self.farm() as farm:
                self.warn()
                yield farm

    def run(self, work: Callable[[Farm], Awaitable[Result]], project: Project | None = None) -> Result:
        """Open the project as `farm` does, do `work` with it, and close it."""

        async def opened() -> Result:
            async with self.farm(project) as farm:
                return await work(farm)

        return asyncio.run(opened())

    def warn(self) -> None:
        """Say on stderr which plugins are broken."""
        for warning in self.plugins.warnings:
            click.echo(f"Warning: {warning}", err=True)


def current_app() -> App:
    """The app of the running command. Relative paths count from `--cwd`."""
    settings = click.get_current_context().find_root().ensure_object(dict)
    cwd = Path(settings.get("cwd", ".")).resolve()
    return App(config=settings.get("config"), cwd=cwd, debug=bool(settings.get("debug")))


def open_farm() -> OpenFarm:
    """The project of the running command, by its `--config` and `--cwd`: `with open_farm() as farm`, or `async with`.

    Entering it raises ConfigError where there is none, or it is wrong.
    """
    from llamafarm.farm.farm import OpenFarm

    app = current_app()
    return OpenFarm(app.config_path or app.cwd, os.environ)


def beside_cwd(path: Path) -> Path:
    """A path of the running command line as a whole one: a relative one counts from `--cwd`."""
    return current_app().cwd / path
