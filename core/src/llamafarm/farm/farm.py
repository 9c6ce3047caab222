"""One project and the gateway that serves it, opened by its file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from llamafarm.config import find_config, load_project
from llamafarm.config.find import config_in
from llamafarm.errors import ConfigError, UsageError
from llamafarm.gateway import Context, Gateway
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import Project
from llamafarm.providers.base import ModelInfo, Progress, ignore_progress
from llamafarm.wire.body import parsed
from llamafarm.wire.model import Model
from llamafarm.wire.operations import CHAT, OPERATIONS, Operation
from llamafarm.wire.validate import check

if TYPE_CHECKING:
    from llamafarm.farm.sync import SyncFarm
    from llamafarm.gateway.preview import Preview
    from llamafarm.gateway.runtimes import RuntimeStatus
    from llamafarm.sessions import ProjectSessions

HEALTH_SECONDS = 5.0


class Farm:
    """One project and the gateway that serves it. Made by `llamafarm.open`, which closes it."""

    def __init__(self, gateway: Gateway, project: Project) -> None:
        self.gateway = gateway
        self.project = project

    async def ask(
        self,
        operation: Operation | str,
        request: Mapping[str, Any],
        *,
        model: str | None = None,
        session: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - a deadline that travels to the runtime
        progress: Callable[[Progress], None] = ignore_progress,
        trace: bool = False,
        handlers: Sequence[str] = (),
    ) -> Any:
        """Ask a model of the project.

        operation: a row of the operation table, or its name: `chat`, `embeddings`, … model: the name of a model entry,
        where the request names none. session: the id of a conversation that is kept; `new` begins one. timeout: seconds
        until the answer must be complete. progress: told what happens before the answer begins. trace: whether a chat's
        answer ends with the notes of its turn, in the field `llamafarm`; an error has them in `trace`. handlers: those
        that a chat goes through in place of the entry's own, any that are installed.

        Returns what the operation's row says: the answer object, a `Reply` or a `Content`; whoever asked closes the
        last two. Raises LlamaFarmError.
        """
        row = operation_named(operation)
        asked = dict(request) if model is None else {**request, "model": model}
        check(asked, row)
        context = Context(uuid4().hex, session, _deadline(timeout), progress, trace=trace, handlers=tuple(handlers))
        return parsed(await self.gateway.ask(self.project, row, asked, context))

    async def count_tokens(
        self,
        texts: Sequence[str],
        *,
        model: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - a deadline that travels to the runtime
        progress: Callable[[Progress], None] = ignore_progress,
    ) -> list[int] | None:
        """How many tokens each text is to a model, those left out that the model itself puts around a text.

        model: the name of a model entry, the default one where none is named; the rest as for `ask`. None where its
        provider cannot count them. Raises LlamaFarmError.
        """
        context = Context(uuid4().hex, deadline=_deadline(timeout), progress=progress)
        return await self.gateway.count_tokens(self.project, self.project.entry(model), texts, context)

    async def preview(self, request: Mapping[str, Any], *, handlers: Sequence[str] = ()) -> Preview:
        """What a chat would ask of its provider at the end of all agent handlers; the provider is not asked.

        handlers: as for `ask`. Nothing is started: where the runtime is down, the tokens of the prompt are not counted.
        Raises LlamaFarmError.
        """
        check(request, CHAT)
        return await self.gateway.preview(self.project, request, Context(uuid4().hex, handlers=tuple(handlers)))

    @property
    def sessions(self) -> ProjectSessions:
        """The conversations of the project. Raises UsageError where none are kept."""
        if self.gateway.sessions is None:
            raise UsageError("No sessions are kept here.", code="session_not_found")
        return self.gateway.sessions.of(self.project.identity)

    def models(self) -> list[Model]:
        """The model entries in the order of the file; a broken one carries its error."""
        return self.gateway.models(self.project)

    async def describe(self, model: str | None = None) -> ModelInfo:
        """What its runtime says of a model entry, the default one where none is named; a service of its is started.

        Raises LlamaFarmError.
        """
        return await self.gateway.runtime_models.show(self.project.entry(model), Context(uuid4().hex))

    async def health(self, *, timeout: float = HEALTH_SECONDS) -> list[RuntimeStatus]:  # noqa: ASYNC109 - of each runtime
        """How every runtime of the project is, each asked for `timeout` seconds. Starts nothing and never raises."""
        return await self.gateway.runtimes(self.project, timeout=timeout)


@asynccontextmanager
async def serving(
    project: Project, plugins: PluginManager, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[Farm]:
    """A farm of a project that is loaded already; everything is closed afterwards."""
    from llamafarm.paths import data_dir
    from llamafarm.sessions import SessionStore

    gateway = Gateway(plugins, sessions=SessionStore(data_dir(environ) / "sessions.db"))
    try:
        yield Farm(gateway, project)
    finally:
        await gateway.aclose()


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


def _deadline(seconds: float | None) -> float | None:
    """On the event loop's clock."""
    return None if seconds is None else asyncio.get_running_loop().time() + seconds


def operation_named(operation: Operation | str) -> Operation:
    """The row of the operation table. Raises UsageError for a name that it does not have."""
    if isinstance(operation, Operation):
        return operation
    for row in OPERATIONS:
        if row.name == operation:
            return row
    names = ", ".join(row.name for row in OPERATIONS)
    raise UsageError(f"There is no operation {operation!r}.", hint=f"Operations: {names}.", status=400)
