"""The models at their runtimes: what is known of them, fetching them, and deleting them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from llamafarm.errors import (
    ConnectionFailed,
    LlamaFarmError,
    ModelNotFound,
    OperationNotSupported,
    PluginError,
    UpstreamError,
    UsageError,
)
from llamafarm.gateway.dispatch import Context, Dispatcher
from llamafarm.gateway.naming import named
from llamafarm.plugins.blame import blaming
from llamafarm.project import BrokenEntry, Project
from llamafarm.providers.base import KeepsFiles, ModelInfo, Pulls, Removes, described
from llamafarm.providers.content import Content
from llamafarm.providers.entry import ModelEntry

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager

State = Literal["loaded", "downloaded", "available", "missing", "stopped", "unreachable", "broken"]
THERE = frozenset({"loaded", "downloaded", "available"})
"""The states of a model that its runtime has."""


@dataclass(frozen=True)
class ModelState:
    """How a model is at its runtime.

    state: `loaded` is in memory, `downloaded` on its disk, `available` there, of a runtime that says no more; `missing`
    is not there. `stopped`: the runtime is not up, its first request starts it; `unreachable`: it does not answer, or
    refuses; `broken`: the entry cannot be used. detail: why, where something is wrong. info: what the runtime says.
    """

    state: State
    detail: str = ""
    info: ModelInfo | None = None

    @property
    def there(self) -> bool:
        """Whether the runtime has the model."""
        return self.state in THERE

    @property
    def reachable(self) -> bool:
        """Whether the runtime answers, so that it can say whether it has the model."""
        return self.there or self.state == "missing"

    @property
    def fields(self) -> dict[str, Any]:
        """All of it, as JSON: what the runtime says of the model, and how it is."""
        info = info_fields(self.info) if self.info else {}
        return {**info, "state": self.state, "detail": self.detail}


class RuntimeModels:
    """Asks the runtimes of a project about its models. enabled: the plugins of a project."""

    def __init__(self, dispatcher: Dispatcher, enabled: Callable[[Project], PluginManager]) -> None:
        self._dispatcher = dispatcher
        self._enabled = enabled

    def named(self, project: Project, name: str, provider: str | None = None) -> ModelEntry:
        """The entry that is meant: one of the project, or one for a runtime's own id. Raises LlamaFarmError."""
        return named(project, name, provider, self._enabled(project))

    async def show(self, entry: ModelEntry, context: Context) -> ModelInfo:
        """What the runtime says of the model; its service is started. Raises LlamaFarmError."""
        lease = self._dispatcher.lease(entry)
        return await self._dispatcher.call(lease, context, lambda _: described(lease.provider, entry))

    async def pull(self, entry: ModelEntry, context: Context) -> None:
        """Have the runtime fetch the model; its service is started. Raises LlamaFarmError.

        The steps go to `context.progress`. Cancelling ends the runtime's work; the next pull goes on from there.
        """
        lease = self._dispatcher.lease(entry)
        if not isinstance(lease.provider, Pulls):
            raise self._not_supported(entry, "fetch")
        await self._dispatcher.call(lease, context, lease.provider.pull)

    async def remove(self, entry: ModelEntry, context: Context) -> None:
        """Delete the model's files at the runtime; its service is started. Raises LlamaFarmError."""
        lease = self._dispatcher.lease(entry)
        if not isinstance(lease.provider, Removes):
            raise self._not_supported(entry, "delete")
        await self._dispatcher.call(lease, context, lease.provider.remove)

    async def file(self, entry: ModelEntry, name: str, context: Context) -> Content:
        """A file that the entry's runtime keeps. No service is started: it would have none. Raises LlamaFarmError."""
        provider = self._dispatcher.lease(entry).provider
        if not isinstance(provider, KeepsFiles):
            raise UsageError(f"The provider {entry.provider!r} of the model {entry.name!r} keeps no files.")
        with blaming(f"The provider {entry.provider!r}", UpstreamError):
            return await provider.file(name, context.call(entry))

    async def states(self, project: Project, *, timeout: float) -> list[ModelState]:  # noqa: ASYNC109 - part of what it says
        """How each of the project's models is, in their order, asked side by side. Starts nothing and never raises."""
        return list(await asyncio.gather(*(self.state(entry, timeout=timeout) for entry in project.models)))

    async def state(self, entry: ModelEntry | BrokenEntry, *, timeout: float) -> ModelState:  # noqa: ASYNC109 - as above
        """How one model is; its runtime has `timeout` seconds to say it. Starts nothing and never raises."""
        if isinstance(entry, BrokenEntry):
            return ModelState("broken", str(entry.error))
        try:
            async with asyncio.timeout(timeout):
                with blaming(f"The provider {entry.provider!r}", UpstreamError):
                    provider = self._dispatcher.lease(entry).provider
                    return _told(await described(provider, entry), can_pull=isinstance(provider, Pulls))
        except TimeoutError:
            return ModelState("unreachable", f"No answer within {timeout:g} s.")
        except ModelNotFound as error:
            return ModelState("missing", str(error))
        except PluginError as error:
            return ModelState("broken", str(error))
        except ConnectionFailed as error:
            return await self._unanswered(entry, error)
        except LlamaFarmError as error:
            return ModelState("unreachable", str(error))

    async def _unanswered(self, entry: ModelEntry, error: ConnectionFailed) -> ModelState:
        try:
            service = self._dispatcher.lease(entry).service
            obstacle = str(error) if service is None else (await service.status()).obstacle
        except LlamaFarmError as broken:
            obstacle = str(broken)
        return ModelState("unreachable", obstacle) if obstacle else ModelState("stopped")

    def _not_supported(self, entry: ModelEntry, verb: str) -> OperationNotSupported:
        where = self._dispatcher.endpoint(entry).address
        return OperationNotSupported(
            f"The provider {entry.provider!r} cannot {verb} models.",
            hint=f"{verb.capitalize()} {entry.model} by the means of the server at {where}.",
            param="model",
        )


def info_fields(info: ModelInfo) -> dict[str, Any]:
    """What is known of a model, as JSON."""
    return {**asdict(info), "features": None if info.features is None else sorted(info.features)}


def _told(info: ModelInfo, *, can_pull: bool) -> ModelState:
    if info.loaded:
        return ModelState("loaded", info=info)
    if info.downloaded is None:
        return ModelState("available", info=info)
    if info.downloaded:
        return ModelState("downloaded", str(info.details.get("problem") or ""), info)
    return ModelState("missing", "`lf models pull` fetches it." if can_pull else "", info)
