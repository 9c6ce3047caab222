"""The farm for scripts: the same answers without an event loop of one's own.

A thread runs the event loop; every call waits for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from llamafarm.providers.content import Content
from llamafarm.providers.reply import Reply

if TYPE_CHECKING:
    from llamafarm.farm.farm import Farm, OpenFarm
    from llamafarm.gateway.preview import Preview
    from llamafarm.gateway.runtimes import RuntimeStatus
    from llamafarm.project import Project
    from llamafarm.providers.base import ModelInfo
    from llamafarm.wire.model import Model
    from llamafarm.wire.operations import Operation


class SyncFarm:
    """A `Farm` whose methods wait for their answers. Made by `with llamafarm.open() as farm`."""

    def __init__(self, farm: Farm, portal: BlockingPortal) -> None:
        self._farm = farm
        self._portal = portal

    @property
    def project(self) -> Project:
        """The project, checked."""
        return self._farm.project

    def ask(self, operation: Operation | str, request: Mapping[str, Any], **given: Any) -> Any:
        """Ask a model of the project: see `Farm.ask`, whose options are the same.

        Returns the answer object, a `SyncReply`, or the bytes of a picture or sound. Raises LlamaFarmError.
        """
        answer = self._portal.call(partial(self._farm.ask, operation, request, **given))
        if isinstance(answer, Reply):
            return SyncReply(answer, self._portal)
        return self._portal.call(answer.read) if isinstance(answer, Content) else answer

    def count_tokens(self, texts: Sequence[str], **given: Any) -> list[int] | None:
        """See `Farm.count_tokens`, whose options are the same."""
        return self._portal.call(partial(self._farm.count_tokens, texts, **given))

    def preview(self, request: Mapping[str, Any], *, handlers: Sequence[str] = ()) -> Preview:
        """See `Farm.preview`."""
        return self._portal.call(partial(self._farm.preview, request, handlers=handlers))

    def models(self) -> list[Model]:
        """See `Farm.models`."""
        return self._farm.models()

    def describe(self, model: str | None = None) -> ModelInfo:
        """See `Farm.describe`."""
        return self._portal.call(self._farm.describe, model)

    def health(self) -> list[RuntimeStatus]:
        """See `Farm.health`."""
        return self._portal.call(self._farm.health)


class SyncReply:
    """A `Reply` to be read without an event loop: whole, or chunk by chunk in a loop. Read once, it is closed."""

    def __init__(self, reply: Reply, portal: BlockingPortal) -> None:
        self._reply = reply
        self._portal = portal

    def text(self) -> str:
        """The text of the answer. Raises ProviderError where it breaks off."""
        with self:
            return self._portal.call(self._reply.text)

    def completion(self) -> Any:
        """The whole answer object. Raises ProviderError where it breaks off."""
        with self:
            return self._portal.call(self._reply.completion)

    def __iter__(self) -> Iterator[Any]:
        """The chunks as they come. Raises ProviderError where they break off."""
        with self:
            chunks = self._portal.call(_begun, self._reply)
            while (chunk := self._portal.call(anext, chunks, None)) is not None:
                yield chunk

    def close(self) -> None:
        """Close the connection to the runtime now."""
        self._portal.call(self._reply.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def entered(opening: OpenFarm) -> Iterator[SyncFarm]:
    """The farm, open, with a thread for its event loop."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(opening) as farm:
        yield SyncFarm(farm, portal)


async def _begun(reply: Reply) -> Any:
    return reply.chunks()
