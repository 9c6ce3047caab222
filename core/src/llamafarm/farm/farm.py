"""One project and the gateway that serves it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from llamafarm.errors import UsageError
from llamafarm.gateway import Context, Gateway
from llamafarm.project import Project
from llamafarm.providers.base import ModelInfo, Progress, ignore_progress
from llamafarm.wire.model import Model
from llamafarm.wire.operations import OPERATIONS, Operation
from llamafarm.wire.unparsed import parsed
from llamafarm.wire.validate import check

if TYPE_CHECKING:
    from llamafarm.gateway.runtimes import RuntimeStatus
    from llamafarm.plugins.manager import PluginManager
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
    ) -> Any:
        """Ask a model of the project.

        operation: a row of the operation table, or its name: `chat`, `embeddings`, … model: the name of a model entry,
        where the request names none. session: the id of a conversation that is kept; `new` begins one. timeout: seconds
        until the answer must be complete. progress: told what happens before the answer begins. trace: whether a chat's
        answer ends with the notes of its turn, in the field `llamafarm`.

        Returns what the operation's row says: the answer object, a `Reply` or a `Content`; whoever asked closes the
        last two. Raises LlamaFarmError.
        """
        row = operation_named(operation)
        asked = dict(request) if model is None else {**request, "model": model}
        check(asked, row)
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        context = Context(uuid4().hex, session, deadline, progress, trace=trace)
        return parsed(await self.relay(row, asked, context))

    async def relay(self, operation: Operation, request: Mapping[str, Any], context: Context) -> Any:
        """As `ask`, for a program that passes the answer on: the request is checked already, and an answer object may
        be there as its bytes alone (`Unparsed`)."""
        return await self.gateway.ask(self.project, operation, request, context)

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


def operation_named(operation: Operation | str) -> Operation:
    """The row of the operation table. Raises UsageError for a name that it does not have."""
    if isinstance(operation, Operation):
        return operation
    for row in OPERATIONS:
        if row.name == operation:
            return row
    names = ", ".join(row.name for row in OPERATIONS)
    raise UsageError(f"There is no operation {operation!r}.", hint=f"Operations: {names}.", status=400)
