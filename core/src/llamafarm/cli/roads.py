"""The two roads of `lf chat`: the project opened in this process, or an API server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast
from uuid import uuid4

import click

from llamafarm.errors import AuthenticationFailed, ConnectionFailed
from llamafarm.providers.base import Progress
from llamafarm.providers.reply import Reply
from llamafarm.wire.operations import CHAT

if TYPE_CHECKING:
    from llamafarm.cli.app import App
    from llamafarm.farm.farm import Farm


API_KEY = "LF_API_KEY"
TRACE_HEADER = "X-LF-Trace"
LIST_SECONDS = 5.0


@dataclass(frozen=True)
class Question:
    """A chat request, and what goes with it. session: as in the header `X-Session-ID`. trace: whether it is told."""

    request: dict[str, Any]
    session: str | None = None
    trace: bool = False


class Road(Protocol):
    async def ask(self, question: Question, progress: Callable[[Progress], None]) -> Reply:
        """Send one chat request; the reply is closed by the caller."""

    async def models(self) -> list[str]:
        """The names that a request may ask for."""

    async def aclose(self) -> None:
        """Close what the road holds open."""


class LocalRoad:
    """Opens the project in this process: no server is needed."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._stack = AsyncExitStack()
        self._farm: Farm | None = None

    async def ask(self, question: Question, progress: Callable[[Progress], None]) -> Reply:
        if self._farm is None:
            self._farm = await self._stack.enter_async_context(self._app.farm())
            self._app.warn()
        reply = await self._farm.ask(
            CHAT, question.request, session=question.session, progress=progress, trace=question.trace
        )
        return cast("Reply", reply)

    async def models(self) -> list[str]:
        return [entry.name for entry in self._app.project.models]

    async def aclose(self) -> None:
        await self._stack.aclose()


class RemoteRoad:
    """Asks an API server; LF_API_KEY is its key."""

    def __init__(self, server_url: str) -> None:
        from llamafarm.http.address import normalize_base_url
        from llamafarm.http.upstream import HttpUpstream
        from llamafarm.providers.base import Endpoint

        try:
            url = normalize_base_url(server_url)
        except ValueError as error:
            raise click.UsageError(f"--server-url: {error}") from None
        self._upstream = HttpUpstream(Endpoint("llamafarm", url, _key()))

    async def ask(self, question: Question, _progress: Callable[[Progress], None]) -> Reply:
        from llamafarm.gateway import SESSION_HEADER
        from llamafarm.gateway.reply import TurnReply
        from llamafarm.http.reply import read_reply
        from llamafarm.providers.base import Call
        from llamafarm.providers.entry import ModelEntry

        request = question.request
        entry = ModelEntry(name=request.get("model", "default"), provider="llamafarm", model="default")
        call = Call(entry, request_id=uuid4().hex)
        headers = {SESSION_HEADER: question.session or "", TRACE_HEADER: "1" if question.trace else ""}
        headers = {name: value for name, value in headers.items() if value}
        stream = bool(request.get("stream"))
        with _remedies():
            answer = await self._upstream.open_stream(CHAT.path, request, call, stream=stream, headers=headers)
        reply = await read_reply(self._upstream, answer, usage="stream_options" in request)
        kept = {SESSION_HEADER: answer.headers.get(SESSION_HEADER, "")}
        return TurnReply(reply, "The answer of the server", headers=kept)

    async def models(self) -> list[str]:
        with _remedies():
            return [row["id"] for row in (await self._upstream.get_json("/models", within=LIST_SECONDS))["data"]]

    async def aclose(self) -> None:
        await self._upstream.aclose()


@contextmanager
def _remedies() -> Iterator[None]:
    """What helps where it is an API server that refuses, or is not there: this road has no model entry."""
    try:
        yield
    except AuthenticationFailed as error:
        error.hint = f"{API_KEY} holds the key that is sent to the server; it is {'wrong' if _key() else 'not set'}."
        raise
    except ConnectionFailed as error:
        error.hint = "Is an API server running at --server-url? `lf serve` starts one."
        raise


def _key() -> str | None:
    return (os.environ.get(API_KEY) or "").strip() or None
