"""What leaves the gateway: a reply or a content, the provider's or the handlers' own, with headers and an end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

from llamafarm.config.secrets import mask
from llamafarm.errors import LlamaFarmError, UpstreamError
from llamafarm.handlers.trace import Trace
from llamafarm.plugins.blame import blaming
from llamafarm.providers.content import Content
from llamafarm.providers.entry import ModelEntry
from llamafarm.providers.reply import Reply, WrappedReply
from llamafarm.wire import sse

TRACE_FIELD = "llamafarm"
"""The field of the last chunk, and of a whole answer, that holds what LlamaFarm says beside it."""

Rows = Callable[[], list[dict[str, Any]]]
"""The notes of a turn so far, as they are told."""


class TurnReply(WrappedReply):
    """Passes everything on and changes no byte.

    Adds headers, and turns what a plugin should not have raised into an UpstreamError that names the entry. When the
    answer has been read to its end, and when it is closed, it calls `end` and awaits `release`: what the turn held is
    free again from then on. trace: the notes of the turn, which end the answer, and go with an error in it.
    """

    def __init__(
        self,
        reply: Reply,
        entry: ModelEntry,
        headers: Mapping[str, str],
        end: Callable[[], None],
        release: Callable[[], Awaitable[None]] | None = None,
        trace: Rows | None = None,
    ) -> None:
        super().__init__(reply if trace is None else reply.after(lambda: {TRACE_FIELD: {"trace": trace()}}))
        self._trace = trace
        self.headers.update(headers)
        self._what = _answer_of(entry)
        self._ended = end
        self._release = release

    async def completion(self) -> Any:
        with telling(self._trace), blaming(self._what, UpstreamError):
            answer = await self._reply.completion()
        await self._end()
        return answer

    async def body(self) -> bytes:
        with telling(self._trace), blaming(self._what, UpstreamError):
            content = await self._reply.body()
        await self._end()
        return content

    async def chunks(self) -> AsyncGenerator[Any, None]:
        with telling(self._trace), blaming(self._what, UpstreamError):
            async with aclosing(self._reply.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
        await self._end()

    async def frames(self) -> AsyncGenerator[bytes, None]:
        with telling(self._trace), blaming(self._what, UpstreamError):
            async with aclosing(self._reply.frames()) as frames:
                async for frame in frames:
                    if frame == sse.DONE:
                        await self._end()  # before the client knows, so that its next turn need not wait
                    yield frame
        await self._end()

    async def aclose(self) -> None:
        try:
            await self._reply.aclose()
        finally:
            await self._end()

    async def _end(self) -> None:
        self._ended()
        if self._release is not None:
            await self._release()


def turn_content(content: Content, entry: ModelEntry, headers: Mapping[str, str], end: Callable[[], None]) -> Content:
    """The same content with headers; what a plugin should not have raised is an UpstreamError that names the entry.

    end: called when it has been read to its end, and when it is closed.
    """

    async def close() -> None:
        try:
            await content.aclose()
        finally:
            end()

    passed = Content(content.media_type, _blamed(content, _answer_of(entry)), close)
    passed.headers = {**content.headers, **headers}
    return passed


def told(trace: Trace, secrets: Collection[str]) -> list[dict[str, Any]]:
    """The notes of a turn so far, without secrets."""
    return [_masked(row, secrets) for row in trace.rows]


@contextmanager
def telling(trace: Rows | None) -> Iterator[None]:
    """Give each error the notes of its turn, where somebody asked for them."""
    try:
        yield
    except LlamaFarmError as error:
        error.trace = trace() if trace else []
        raise


def _answer_of(entry: ModelEntry) -> str:
    """How an answer is called whose plugin has raised what it should not."""
    return f"The answer of the model {entry.name!r} (provider {entry.provider!r})"


def _masked(value: Any, secrets: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _masked(item, secrets) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item, secrets) for item in value]
    return mask(value, secrets) if isinstance(value, str) else value


async def _blamed(content: Content, what: str) -> AsyncGenerator[bytes, None]:
    with blaming(what, UpstreamError):
        async with aclosing(content.pieces()) as pieces:
            async for piece in pieces:
                yield piece
