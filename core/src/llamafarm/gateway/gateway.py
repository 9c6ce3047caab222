"""The heart: takes a request to its model entry, through that entry's agent handlers, to its provider."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llamafarm.errors import RequestError
from llamafarm.gateway.chat import SESSION_HEADER, ChatTurn
from llamafarm.gateway.dispatch import Context, Dispatcher
from llamafarm.gateway.fields import merged, refuse_foreign_fields
from llamafarm.gateway.known import text_tokens
from llamafarm.gateway.reply import TurnReply, turn_content
from llamafarm.gateway.served import Served
from llamafarm.project import BrokenEntry, Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.wire.model import Model
from llamafarm.wire.operations import CHAT, Operation

if TYPE_CHECKING:
    from llamafarm.gateway.models import RuntimeModels
    from llamafarm.gateway.preview import Preview
    from llamafarm.gateway.runtimes import RuntimeStatus
    from llamafarm.plugins.manager import PluginManager
    from llamafarm.sessions import SessionStore


class Gateway:
    """Serves every project of a process. Providers are pooled by endpoint, handler chains are built once per entry."""

    def __init__(self, plugins: PluginManager, *, sessions: SessionStore | None = None) -> None:
        self.sessions = sessions
        self._plugins = plugins
        self._dispatcher = Dispatcher(plugins)
        self._served: dict[str, Served] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    async def ask(self, project: Project, operation: Operation, request: Mapping[str, Any], context: Context) -> Any:
        """Ask one model of the project; `operation.returns` says what comes back.

        Chat goes through the entry's agent handlers and may belong to a session; the other operations go straight to
        the provider, whose answer object may be there as its bytes alone (`Unparsed`). Raises LlamaFarmError and
        nothing else: an answer exists only once the upstream has accepted.
        """
        served = self._of(project)
        end = served.begin()
        try:
            return await self._ask(served, operation, request, context, end)
        except BaseException:
            end()
            raise

    async def _ask(
        self,
        served: Served,
        operation: Operation,
        request: Mapping[str, Any],
        context: Context,
        end: Callable[[], None],
    ) -> Any:
        entry = self._dispatcher.entry_for(served.project, operation, request)
        if operation is CHAT:
            return await ChatTurn(self._dispatcher, served, entry, context, end).run(request, self.sessions)
        lease = served.lease(entry)
        body = merged(request, entry, operation, lease.parameters)
        await refuse_foreign_fields(body, operation, served.field_owners)
        if context.session is not None:
            raise RequestError(f"A session keeps chats: {operation.name} has none.", param=SESSION_HEADER)
        if context.handlers:
            raise RequestError(f"Chats go through agent handlers: {operation.name} does not.", param="handler")
        answer = await self._dispatcher.ask(served.project, lease, operation, body, context)
        if operation.returns == "content":
            return turn_content(answer, entry, context.headers, end)
        if operation.returns == "reply":
            return TurnReply(answer, entry, context.headers, end)
        end()
        return answer

    async def count_tokens(
        self, project: Project, entry: ModelEntry, texts: Sequence[str], context: Context
    ) -> list[int] | None:
        """How many tokens each text is to an entry's model; None where its provider cannot count them.

        Raises LlamaFarmError and nothing else.
        """
        served = self._of(project)
        end = served.begin()
        try:
            return await text_tokens(self._dispatcher, served.lease(entry), context, texts)
        finally:
            end()

    async def preview(self, project: Project, request: Mapping[str, Any], context: Context) -> Preview:
        """What a chat would ask of its provider, which is not asked; nothing is started. Raises as `ask` does."""
        from llamafarm.gateway.preview import PreviewTurn  # no chat needs it

        served = self._of(project)
        end = served.begin()
        try:
            entry = self._dispatcher.entry_for(project, CHAT, request)
            turn = PreviewTurn(self._dispatcher, served, entry, replace(context, starts=False), end)
            return await turn.preview(request)
        finally:
            end()

    def plugins_of(self, project: Project) -> PluginManager:
        """The plugins that a project has not disabled."""
        return self._of(project).plugins

    @cached_property
    def runtime_models(self) -> RuntimeModels:
        """The models at their runtimes, which can be looked at, fetched and deleted."""
        from llamafarm.gateway.models import RuntimeModels  # no chat needs it

        return RuntimeModels(self._dispatcher, lambda project: self._of(project).plugins)

    async def runtimes(self, project: Project, *, timeout: float) -> list[RuntimeStatus]:  # noqa: ASYNC109 - part of what it says
        """Every runtime of the project, each asked for `timeout` seconds at most. Starts nothing and never raises."""
        from llamafarm.gateway.runtimes import runtime_statuses

        return await runtime_statuses(self._dispatcher, project, seconds=timeout)

    def models(self, project: Project) -> list[Model]:
        """The project's entries, in the order of its file; a broken one carries its error."""
        return [self.model(entry, project) for entry in project.models]

    def model(self, entry: ModelEntry | BrokenEntry, project: Project) -> Model:
        """One row of the list. `created` is when the configuration was last written, in seconds since 1970."""
        path = project.path
        row: Model = {
            "id": entry.name,
            "object": "model",
            "created": int(path.stat().st_mtime) if path and path.exists() else 0,
            "owned_by": entry.provider,
            "provider": entry.provider,
            "model": entry.model,
            "default": entry.name == project.default,
        }
        if isinstance(entry, BrokenEntry):
            return {**row, "available": False, "error": str(entry.error)}
        return {**row, "description": entry.description, "available": True}

    async def aclose(self) -> None:
        """Close all handlers and connections; calling twice does nothing."""
        for task in self._retiring:
            task.cancel()
        if self._retiring:
            await asyncio.wait(self._retiring)
        served, self._served = self._served, {}
        await asyncio.gather(*(project.aclose() for project in served.values()))
        await self._dispatcher.aclose()

    def _of(self, project: Project) -> Served:
        """What is known of a project; one that has been read again begins anew.

        What it was before is closed once its running answers have ended, and so are the providers that no project uses
        any more; nobody waits for that.
        """
        served = self._served.get(project.identity)
        if served is None or served.project is not project:
            if served is not None:
                self._retire(served)
            plugins = _enabled(self._plugins, project)
            served = self._served[project.identity] = Served(project, plugins, self._dispatcher)
        return served

    def _retire(self, served: Served) -> None:
        task = asyncio.get_running_loop().create_task(self._close_when_idle(served))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _close_when_idle(self, served: Served) -> None:
        try:
            await served.wait_until_idle()
        finally:
            await served.aclose()
        await self._dispatcher.close_unused(each.project for each in list(self._served.values()))


def _enabled(plugins: PluginManager, project: Project) -> PluginManager:
    disabled = (project.raw.get("plugins") or {}).get("disabled")
    return plugins.without(disabled) if disabled else plugins
