"""The last step of a request: the entry's provider is leased and asked, and its service started where it is down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from llamafarm.errors import (
    AuthenticationFailed,
    ConnectionBroken,
    ConnectionFailed,
    LlamaFarmError,
    OperationNotSupported,
    PluginError,
    ProviderTimeout,
    UpstreamError,
)
from llamafarm.plugins.blame import blaming
from llamafarm.project import Project
from llamafarm.providers.base import Call, Endpoint, ModelInfo, Progress, Provider, ignore_progress, operations
from llamafarm.providers.entry import ModelEntry
from llamafarm.providers.parameters import FORWARD_EVERYTHING, Parameters, note_ignored
from llamafarm.services.base import Service
from llamafarm.wire.chat import media_kinds
from llamafarm.wire.operations import CHAT, Operation

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Context:
    """What surrounds one request.

    request_id: ours. session: `new` creates one, an id continues it, None is stateless. deadline: on the event loop's
    clock, in seconds. progress: told what happens before the answer begins. headers: the answer's headers, filled in on
    the way; those of a Reply are in its own `headers` too, an embedding answer has no other place for them. trace:
    whether a chat's answer, or its error, ends with the trace of its turn. project_url: where the API serves the
    project. handlers: those that the operator chooses for a chat, any that are installed; a request chooses by itself.
    starts: whether a runtime that is down is started.
    """

    request_id: str
    session: str | None = None
    deadline: float | None = None
    progress: Callable[[Progress], None] = ignore_progress
    headers: dict[str, str] = field(default_factory=dict)
    trace: bool = False
    project_url: str | None = None
    handlers: tuple[str, ...] = ()
    starts: bool = True

    def call(self, entry: ModelEntry) -> Call:
        """What surrounds the request where it is one to this entry."""
        at = self.project_url
        files_url = at and f"{at}/models/{quote(entry.name, safe='')}/files"
        return Call(entry, self.request_id, self.deadline, self.progress, headers=self.headers, files_url=files_url)


@dataclass(eq=False)
class Connection:
    """A provider that is connected. is_up: whether the service behind it has been seen running."""

    provider: Provider
    is_up: bool = False


@dataclass(eq=False)
class Lease:
    """What one model entry leads to.

    service: what LlamaFarm may start behind it. described: what the runtime said of its model, and when, on the event
    loop's clock.
    """

    entry: ModelEntry
    connection: Connection
    parameters: Parameters
    service: Service | None
    described: tuple[float, ModelInfo] | None = None

    @property
    def provider(self) -> Provider:
        """The client of the entry's endpoint; entries with equal endpoints share it."""
        return self.connection.provider


class Dispatcher:
    """Knows the providers: leases them to model entries, and asks them with their service up.

    Each is connected once, when it is first leased; entries with equal endpoints share it.
    """

    def __init__(self, plugins: PluginManager) -> None:
        self._plugins = plugins
        self._connections: dict[tuple[str, Endpoint], Connection] = {}

    def lease(self, entry: ModelEntry) -> Lease:
        """What the entry leads to. Raises PluginError."""
        spec, endpoint = self._plugins.provider(entry.provider), self.endpoint(entry)
        key = (spec.name, endpoint)
        with blaming(f"The provider {entry.provider!r}", PluginError):
            if key not in self._connections:
                self._connections[key] = Connection(spec.connect(endpoint))
            service = spec.service(entry) if spec.service else None
        return Lease(entry, self._connections[key], spec.parameters or FORWARD_EVERYTHING, service)

    def endpoint(self, entry: ModelEntry) -> Endpoint:
        """Where the entry leads; nothing is connected. Raises PluginError."""
        spec = self._plugins.provider(entry.provider)
        with blaming(f"The provider {entry.provider!r}", PluginError):
            endpoint = spec.endpoint(entry)
            if not isinstance(endpoint, Endpoint):
                raise TypeError(f"its `endpoint` returned {endpoint!r}")
            return endpoint

    def entry_for(self, project: Project, operation: Operation, request: Mapping[str, Any]) -> ModelEntry:
        """The entry that a request names; where it names none the default one, if it can do that, else one that can.

        Raises UsageError for an unknown name, and a broken entry's own error.
        """
        name = request.get("model")
        entry = project.entry(name)
        if name is not None:
            return entry
        if operation is CHAT:
            kinds = media_kinds(request)
            if all(entry.takes(kind) is not False for kind in kinds):
                return entry
            return next((other for other in self._able(project, CHAT) if all(map(other.takes, kinds))), entry)
        able = self._able(project, operation)
        fitting = [other for other in able if other.serves(operation)] or able
        return entry if entry in fitting or not fitting else fitting[0]

    async def ask(
        self, project: Project, lease: Lease, operation: Operation, body: Mapping[str, Any], context: Context
    ) -> Any:
        """Ask the entry's provider; the answer is what its method for this operation returns.

        Fields without effect are left out and named in the header X-LF-Ignored. Raises LlamaFarmError and nothing else.
        """
        method, request = self.prepared(project, lease, operation, body, context)
        return await self.call(lease, context, lambda call: method(request, call))

    def prepared(
        self, project: Project, lease: Lease, operation: Operation, body: Mapping[str, Any], context: Context
    ) -> tuple[Callable[[Any, Call], Awaitable[Any]], dict[str, Any]]:
        """The provider's method for the operation, and the request that it is given; see `ask`, which calls it."""
        entry = lease.entry
        method = getattr(lease.provider, operation.method, None)
        if not callable(method):
            raise self._not_supported(project, entry, operation)
        lease.parameters.check(body, operation)
        fields, ignored = lease.parameters.apply(body, operation, entry.provider)
        note_ignored(context.headers, ignored)
        return method, {**fields, "model": entry.model}

    async def call(self, lease: Lease, context: Context, ask: Callable[[Call], Awaitable[Answer]]) -> Answer:
        """Call `ask`, which asks the entry's provider, with the service of the entry up.

        Raises LlamaFarmError and nothing else.
        """
        call = context.call(lease.entry)
        with blaming(f"The provider {lease.entry.provider!r}", UpstreamError):
            try:
                if lease.service is None or not context.starts:
                    return await ask(call)
                return await self._with_service(lease, lease.service, call, ask)
            except AuthenticationFailed as error:
                error.hint = f"{_whose_key(lease.entry)} {error.hint or ''}".rstrip()
                raise

    async def close_unused(self, projects: Iterable[Project]) -> None:
        """Close the providers that no entry of these projects leads to any more."""
        used = set(self._endpoints(projects))
        unused = [key for key in self._connections if key[1] not in used]
        await asyncio.gather(*(_close(key[0], self._connections.pop(key).provider) for key in unused))

    async def aclose(self) -> None:
        """Close all of them; one that does not close is told in the log and harms no other. Twice does nothing."""
        await self.close_unused(())

    def _endpoints(self, projects: Iterable[Project]) -> Iterator[Endpoint]:
        for project in projects:
            for entry in project.models:
                if isinstance(entry, ModelEntry):
                    with suppress(LlamaFarmError):
                        yield self.endpoint(entry)

    async def _with_service(
        self, lease: Lease, service: Service, call: Call, ask: Callable[[Call], Awaitable[Answer]]
    ) -> Answer:
        """Ask with the entry's service up.

        The first use of an endpoint in this process makes sure of it; later uses trust it until a connection fails,
        which means that nothing was sent, or breaks before an answer because the runtime has died: asking once more
        is safe then.
        """
        if not lease.connection.is_up:
            await self._ensure(service, lease.connection, call)
        try:
            return await ask(call)
        except ConnectionFailed:
            pass
        except ConnectionBroken:
            if (await service.status()).state == "running":
                raise
        await self._ensure(service, lease.connection, call)
        return await ask(call)

    async def _ensure(self, service: Service, connection: Connection, call: Call) -> None:
        connection.is_up = False
        try:
            async with asyncio.timeout_at(call.deadline):
                await service.ensure(call.progress)
        except TimeoutError:
            raise ProviderTimeout(
                f"{service.name} was not up within the time limit.", provider=call.entry.provider
            ) from None
        connection.is_up = True

    def _not_supported(self, project: Project, entry: ModelEntry, operation: Operation) -> OperationNotSupported:
        able = [other.name for other in self._able(project, operation)]
        hint = f"Models of this project that can: {', '.join(able)}." if able else "No other model of this project can."
        return OperationNotSupported(
            f"The provider {entry.provider!r} cannot do {operation.name}, which was asked of the model {entry.name!r} "
            f"({entry.model}).",
            hint=hint,
            param="model",
        )

    def _able(self, project: Project, operation: Operation) -> list[ModelEntry]:
        """The entries that can do the operation, as far as is known without asking their runtimes."""
        entries = [entry for entry in project.models if isinstance(entry, ModelEntry)]
        return [entry for entry in entries if entry.serves(operation) is not False and self._can(entry, operation)]

    def _can(self, entry: ModelEntry, operation: Operation) -> bool:
        try:
            return operation in operations(self.lease(entry).provider)
        except PluginError:
            return False


def _whose_key(entry: ModelEntry) -> str:
    """Told with a refusal, since clients take a 401 for one of their own key."""
    return f"The refused key is that of the model entry {entry.name!r} (provider {entry.provider}), not the client's."


async def _close(name: str, provider: Provider) -> None:
    try:
        await provider.aclose()
    except Exception as error:  # noqa: BLE001 - the answer is there already, and the others are to be closed too
        log.warning("The provider %r did not close: %s: %s", name, type(error).__name__, error)
