"""The last step of a request: the entry's provider is leased and asked, and its service started where it is down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from llamafarm.errors import (
    ConnectionBroken,
    ConnectionFailed,
    OperationNotSupported,
    PluginError,
    ProviderTimeout,
    UpstreamError,
)
from llamafarm.gateway.blame import blaming
from llamafarm.project import Project
from llamafarm.providers.base import Call, Endpoint, Progress, Provider, ignore_progress, operations
from llamafarm.providers.entry import ModelEntry
from llamafarm.providers.parameters import FORWARD_EVERYTHING, note_ignored
from llamafarm.providers.pool import ProviderPool
from llamafarm.services.base import Service
from llamafarm.wire.operations import Operation

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Context:
    """What surrounds one request.

    request_id: ours. session: `new` creates one, an id continues it, None is stateless. deadline: on the event loop's
    clock, in seconds. progress: told what happens before the answer begins. headers: the answer's headers, filled in on
    the way; those of a Reply are in its own `headers` too, an embedding answer has no other place for them.
    """

    request_id: str
    session: str | None = None
    deadline: float | None = None
    progress: Callable[[Progress], None] = ignore_progress
    headers: dict[str, str] = field(default_factory=dict)


class Dispatcher:
    """Knows the providers: leases them by endpoint, and remembers whose service has been seen running."""

    def __init__(self, plugins: PluginManager) -> None:
        self._plugins = plugins
        self._pool = ProviderPool()
        self._ensured: set[Endpoint] = set()

    async def ask(
        self, project: Project, entry: ModelEntry, operation: Operation, body: Mapping[str, Any], context: Context
    ) -> Any:
        """Ask the entry's provider; the answer is what its method for this operation returns.

        Fields without effect are left out and named in the header X-LF-Ignored. Raises LlamaFarmError and nothing else.
        """
        provider = self.lease(entry)
        method = getattr(provider, operation.method, None)
        if not callable(method):
            raise self._not_supported(project, entry, operation)
        parameters = self._plugins.provider(entry.provider).parameters or FORWARD_EVERYTHING
        parameters.check(body, operation)
        fields, ignored = parameters.apply(body, operation, entry.provider)
        note_ignored(context.headers, ignored)
        request = {**fields, "model": entry.model}
        return await self.call(entry, context, lambda call: method(request, call))

    async def call(self, entry: ModelEntry, context: Context, ask: Callable[[Call], Awaitable[Answer]]) -> Answer:
        """Call `ask`, which asks the entry's provider, with the service of the entry up.

        Raises LlamaFarmError and nothing else.
        """
        call = Call(entry, context.request_id, context.deadline, context.progress, headers=context.headers)
        with blaming(f"The provider {entry.provider!r}", UpstreamError):
            return await self._with_service(entry, call, lambda: ask(call))

    def endpoint(self, entry: ModelEntry) -> Endpoint:
        """Where the entry leads."""
        spec = self._plugins.provider(entry.provider)
        with blaming(f"The provider {entry.provider!r}", PluginError):
            return spec.endpoint(entry)

    def lease(self, entry: ModelEntry) -> Provider:
        """The client of the entry's endpoint; entries with equal endpoints share it."""
        spec = self._plugins.provider(entry.provider)
        with blaming(f"The provider {entry.provider!r}", PluginError):
            return self._pool.lease(spec, entry)

    def service(self, entry: ModelEntry) -> Service | None:
        """The service behind the entry, where LlamaFarm may start one."""
        spec = self._plugins.provider(entry.provider)
        with blaming(f"The provider {entry.provider!r}", PluginError):
            return spec.service(entry) if spec.service else None

    async def aclose(self) -> None:
        """Close all connections; calling twice does nothing."""
        await self._pool.aclose()

    async def _with_service(self, entry: ModelEntry, call: Call, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask with the entry's service up.

        The first use of an endpoint in this process makes sure of it; later uses trust it until a connection fails,
        which means that nothing was sent, or breaks before an answer because the runtime has died: asking once more
        is safe then.
        """
        service = self.service(entry)
        if service is None:
            return await ask()
        endpoint = self.endpoint(entry)
        if endpoint not in self._ensured:
            await self._ensure(service, endpoint, call)
        try:
            return await ask()
        except ConnectionFailed:
            pass
        except ConnectionBroken:
            if (await service.status()).state == "running":
                raise
        await self._ensure(service, endpoint, call)
        return await ask()

    async def _ensure(self, service: Service, endpoint: Endpoint, call: Call) -> None:
        self._ensured.discard(endpoint)
        try:
            async with asyncio.timeout_at(call.deadline):
                await service.ensure(call.progress)
        except TimeoutError:
            raise ProviderTimeout(
                f"{service.name} was not up within the time limit.", provider=endpoint.provider
            ) from None
        self._ensured.add(endpoint)

    def _not_supported(self, project: Project, entry: ModelEntry, operation: Operation) -> OperationNotSupported:
        able = [other.name for other in project.models if isinstance(other, ModelEntry) and self._can(other, operation)]
        hint = f"Models of this project that can: {', '.join(able)}." if able else "No other model of this project can."
        return OperationNotSupported(
            f"The provider {entry.provider!r} cannot do {operation.name}, which was asked of the model {entry.name!r} "
            f"({entry.model}).",
            hint=hint,
            param="model",
        )

    def _can(self, entry: ModelEntry, operation: Operation) -> bool:
        try:
            return operation in operations(self.lease(entry))
        except PluginError:
            return False
