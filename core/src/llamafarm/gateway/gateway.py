"""The heart: takes a request to its model entry, through that entry's agent handlers, to its provider."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llamafarm.errors import LlamaFarmError, PluginError, RequestError
from llamafarm.gateway.blame import blaming
from llamafarm.gateway.dispatch import Context, Dispatcher
from llamafarm.gateway.fields import merged, take_handler_fields
from llamafarm.gateway.reply import TurnReply, turn_content
from llamafarm.handlers.base import Ask, Turn
from llamafarm.handlers.select import Link, build_chain
from llamafarm.project import BrokenEntry, Project
from llamafarm.providers.base import Call, Health
from llamafarm.providers.entry import ModelEntry
from llamafarm.providers.parameters import FORWARD_EVERYTHING
from llamafarm.providers.reply import Reply
from llamafarm.services.base import Service
from llamafarm.wire.chat import ChatRequest
from llamafarm.wire.model import Model
from llamafarm.wire.operations import CHAT, Operation

if TYPE_CHECKING:
    from llamafarm.gateway.models import RuntimeModels
    from llamafarm.gateway.runtimes import RuntimeStatus
    from llamafarm.plugins.manager import PluginManager
    from llamafarm.records import AgentHandlerSpec
    from llamafarm.sessions import SessionStore, StoredSession

SESSION_HEADER = "X-Session-ID"
NEW_SESSION = "new"
STARTABLE = Health(False, "Not running; its first request starts it.", startable=True)
log = logging.getLogger(__name__)


@dataclass
class _Served:
    """One project: the plugins that it does not disable, and the handler chains of its entries, by name."""

    project: Project
    plugins: PluginManager
    chains: dict[str, tuple[Link, ...]] = field(default_factory=dict)

    @cached_property
    def handlers(self) -> dict[str, AgentHandlerSpec]:
        """Every agent handler that is installed; this loads all plugins."""
        return self.plugins.agent_handlers()


class Gateway:
    """Serves every project of a process. Providers are pooled by endpoint, handler chains are built once per entry."""

    def __init__(self, plugins: PluginManager, *, sessions: SessionStore | None = None) -> None:
        self.sessions = sessions
        self._plugins = plugins
        self._dispatcher = Dispatcher(plugins)
        self._served: dict[str, _Served] = {}

    async def ask(self, project: Project, operation: Operation, request: Mapping[str, Any], context: Context) -> Any:
        """Ask one model of the project; `operation.returns` says what comes back.

        Chat goes through the entry's agent handlers and may belong to a session; the other operations go straight to
        the provider. Raises LlamaFarmError and nothing else: an answer exists only once the upstream has accepted.
        """
        entry = project.entry(request.get("model"))
        chain = self.chain(project, entry) if operation is CHAT else ()
        body, fields = take_handler_fields(
            self._merged(project, request, entry, operation), operation, chain, lambda: self._of(project).handlers
        )
        if operation is CHAT:
            return await self._chat(project, entry, chain, body, fields, context)
        if context.session is not None:
            raise RequestError(f"A session keeps chats: {operation.name} has none.", param=SESSION_HEADER)
        answer = await self._dispatcher.ask(project, entry, operation, body, context)
        if operation.returns == "content":
            return turn_content(answer, _named(entry), context.headers)
        return _turn_reply(answer, entry, context, None) if operation.returns == "reply" else answer

    async def check(self, project: Project, entry_name: str, *, timeout: float) -> Health:  # noqa: ASYNC109 - part of what it says
        """Whether the runtime of one entry answers within `timeout` seconds. Starts nothing and never raises."""
        try:
            entry = project.entry(entry_name)
            async with asyncio.timeout(timeout):
                health = await self._dispatcher.lease(entry).health()
                service = None if health.ok else self.service(entry)
                return health if service is None else await _startable(service)
        except TimeoutError:
            return Health(False, f"No answer within {timeout:g} s.")
        except LlamaFarmError as error:
            return Health(False, str(error))
        except Exception as error:
            log.info("The health check of %s failed.", entry_name, exc_info=True)
            return Health(False, f"The health check failed: {type(error).__name__}: {error}")

    @cached_property
    def runtime_models(self) -> RuntimeModels:
        """The models at their runtimes, which can be looked at, fetched and deleted."""
        from llamafarm.gateway.models import RuntimeModels  # no chat needs it

        return RuntimeModels(self._dispatcher, lambda project: self._of(project).plugins)

    async def runtimes(self, project: Project, *, timeout: float) -> list[RuntimeStatus]:  # noqa: ASYNC109 - as above
        """Every runtime of the project, each asked for `timeout` seconds at most. Starts nothing and never raises."""
        from llamafarm.gateway.runtimes import runtime_statuses

        return await runtime_statuses(self._dispatcher, project, seconds=timeout)

    def models(self, project: Project) -> list[Model]:
        """The project's entries, in the order of its file; a broken one carries its error."""
        return [self.model(entry, project) for entry in project.models]

    def model(self, entry: ModelEntry | BrokenEntry, project: Project) -> Model:
        """One row of the list. `created` is when the configuration was last written, in seconds since 1970."""
        return _model(entry, project)

    def service(self, entry: ModelEntry) -> Service | None:
        """The service that LlamaFarm starts for this entry, where it may."""
        return self._dispatcher.service(entry)

    def chain(self, project: Project, entry: ModelEntry) -> tuple[Link, ...]:
        """The agent handlers of an entry, the outermost first. Raises ConfigError and PluginError."""
        served = self._of(project)
        if entry.name not in served.chains:
            served.chains[entry.name] = build_chain(project, entry, served.plugins)
        return served.chains[entry.name]

    async def aclose(self) -> None:
        """Close all connections; calling twice does nothing."""
        await self._dispatcher.aclose()

    def _of(self, project: Project) -> _Served:
        """What is known of a project; a project that has been read again begins anew."""
        served = self._served.get(project.identity)
        if served is None or served.project is not project:
            served = self._served[project.identity] = _Served(project, _enabled(self._plugins, project))
        return served

    async def _chat(
        self,
        project: Project,
        entry: ModelEntry,
        chain: tuple[Link, ...],
        body: Mapping[str, Any],
        fields: Mapping[str, Any],
        context: Context,
    ) -> Reply:
        session = await self._open_session(project, context)
        request: Any = body  # the API and the command line have checked it
        call = Call(entry, context.request_id, context.deadline, context.progress, headers=context.headers)
        turn = Turn(project, entry, request, call, session, fields, self._other(project, context))
        try:
            if session is not None:
                await session.hold()
            reply = await _through(chain, self._last(project, context))(turn)
        except BaseException:
            await _abandon(session, created=context.session == NEW_SESSION)
            raise
        return _turn_reply(reply, entry, context, session)

    def _merged(
        self, project: Project, request: Mapping[str, Any], entry: ModelEntry, operation: Operation
    ) -> dict[str, Any]:
        spec = self._of(project).plugins.provider(entry.provider)
        return merged(request, entry, operation, spec.parameters or FORWARD_EVERYTHING)

    def _last(self, project: Project, context: Context) -> Ask:
        """The end of every chain: the provider of the turn's entry."""

        async def last(turn: Turn) -> Reply:
            inner = replace(context, deadline=turn.call.deadline, progress=turn.call.progress)
            reply: Reply = await self._dispatcher.ask(project, turn.entry, CHAT, turn.request, inner)
            return reply

        return last

    def _other(self, project: Project, context: Context) -> Any:
        """What a handler asks another model of the project with."""

        async def other(name: str, request: ChatRequest) -> Reply:
            entry = project.entry(name)
            body = self._merged(project, request, entry, CHAT)
            reply: Reply = await self._dispatcher.ask(project, entry, CHAT, body, context)
            return reply

        return other

    async def _open_session(self, project: Project, context: Context) -> StoredSession | None:
        if context.session is None:
            return None
        if self.sessions is None:
            raise RequestError("No sessions are kept here.", param=SESSION_HEADER)
        if context.session == NEW_SESSION:
            session = await self.sessions.create(project.identity)
        else:
            session = await self.sessions.open(project.identity, context.session)
        context.headers[SESSION_HEADER] = session.id
        return session


async def _startable(service: Service) -> Health:
    """The health of a runtime that does not answer, and that LlamaFarm may start."""
    obstacle = (await service.status()).obstacle
    return Health(False, obstacle) if obstacle else STARTABLE


def _enabled(plugins: PluginManager, project: Project) -> PluginManager:
    disabled = (project.raw.get("plugins") or {}).get("disabled")
    return plugins.without(disabled) if disabled else plugins


def _through(chain: tuple[Link, ...], last: Ask) -> Ask:
    """The chain as one function: what a handler asks is the rest of the chain."""
    for link in reversed(chain):
        last = _asking(link, last)
    return last


def _asking(link: Link, rest: Ask) -> Ask:
    async def ask(turn: Turn) -> Reply:
        with blaming(f"The agent handler {link.name!r}", PluginError):
            return await link.handler.run(turn, rest)

    return ask


async def _abandon(session: StoredSession | None, *, created: bool) -> None:
    """Leave a session as it was before a turn that has failed: one that was created for it is gone again."""
    if session is not None:
        await (session.delete() if created else session.release())


def _turn_reply(reply: Reply, entry: ModelEntry, context: Context, session: StoredSession | None) -> TurnReply:
    return TurnReply(reply, _named(entry), headers=context.headers, ended=session.release if session else None)


def _named(entry: ModelEntry) -> str:
    return f"The answer of the model {entry.name!r} (provider {entry.provider!r})"


def _model(entry: ModelEntry | BrokenEntry, project: Project) -> Model:
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
