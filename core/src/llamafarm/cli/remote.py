"""`--server-url`: an API server in place of the project that is opened in this process."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import click

from llamafarm.errors import AuthenticationFailed, ConnectionFailed, ProviderError
from llamafarm.gateway import SESSION_HEADER
from llamafarm.gateway.reply import TRACE_FIELD
from llamafarm.http.address import normalize_base_url
from llamafarm.http.content import read_content
from llamafarm.http.refusal import Refusal, error_of
from llamafarm.http.reply import read_reply
from llamafarm.http.upstream import HttpUpstream
from llamafarm.providers.base import Call, Endpoint, Progress, ignore_progress
from llamafarm.providers.entry import ModelEntry
from llamafarm.wire.operations import Operation

DEFAULT_SERVER = "http://127.0.0.1:8000"
API_KEY = "LF_API_KEY"
TRACE_HEADER = "X-LF-Trace"
LIST_SECONDS = 5.0


class RemoteFarm:
    """What commands that ask a model need of a `Farm`, at an API server. LF_API_KEY is its key."""

    def __init__(self, server_url: str) -> None:
        self._upstream = HttpUpstream(Endpoint("llamafarm", _base_url(server_url), _key()), _error_of)

    async def ask(
        self,
        operation: Operation,
        request: dict[str, Any],
        *,
        session: str | None = None,
        progress: Callable[[Progress], None] = ignore_progress,  # noqa: ARG002 - a server does not tell its own
        trace: bool = False,
        handlers: Sequence[str] = (),
    ) -> Any:
        """As `Farm.ask` does; of agent handlers the server decides which may be chosen."""
        request = choosing(request, handlers)
        entry = ModelEntry(name=request.get("model", "default"), provider="llamafarm", model="default")
        headers = {SESSION_HEADER: session} if session else {}
        headers |= {TRACE_HEADER: "1"} if trace else {}
        stream = bool(request.get("stream"))
        call = Call(entry, request_id=uuid4().hex)
        with _remedies():
            if operation.returns == "value":
                return await self._upstream.post_json(operation.path, request, call)
            form = operation.is_form
            answer = await self._upstream.open_stream(
                operation.path, request, call, stream=stream, form=form, headers=headers
            )
            if operation.returns == "content":
                return await read_content(self._upstream, answer)
        reply = await read_reply(self._upstream, answer, usage="stream_options" in request)
        reply.headers[SESSION_HEADER] = answer.headers.get(SESSION_HEADER, "")
        return reply

    async def models(self) -> list[dict[str, Any]]:
        with _remedies():
            listed = await self._upstream.get_json("/models", within=LIST_SECONDS)
        rows: list[dict[str, Any]] = listed["data"]
        return rows

    async def aclose(self) -> None:
        await self._upstream.aclose()


def curl(request: dict[str, Any], *, server_url: str | None, session: str | None) -> str:
    """The same request as a command line of curl, to be pasted; the key stays in its variable."""
    words = ["curl", "--no-buffer", _base_url(server_url or DEFAULT_SERVER) + "/chat/completions"]
    words += ["-H", "Content-Type: application/json"]
    words += ["-H", f"{SESSION_HEADER}: {session}"] if session else []
    words += ["-d", json.dumps(request, ensure_ascii=False)]
    return shlex.join(words) + (f' -H "Authorization: Bearer ${API_KEY}"' if _key() else "")


def choosing(request: dict[str, Any], handlers: Sequence[str]) -> dict[str, Any]:
    """The request with the agent handlers that it chooses."""
    return {**request, "handler": list(handlers)} if handlers else request


def _error_of(refusal: Refusal) -> ProviderError:
    """The error that a server answers with, and the notes of the turn beside it."""
    error = error_of(refusal)
    beside = refusal.body.get(TRACE_FIELD) if isinstance(refusal.body, dict) else None
    error.trace = beside.get("trace", []) if isinstance(beside, dict) else []
    return error


@contextmanager
def _remedies() -> Iterator[None]:
    """What helps where it is an API server that refuses, or is not there: there is no model entry to look at."""
    try:
        yield
    except AuthenticationFailed as error:
        error.hint = f"{API_KEY} holds the key that is sent to the server; it is {'wrong' if _key() else 'not set'}."
        raise
    except ConnectionFailed as error:
        error.hint = "Is an API server running at --server-url? `lf serve` starts one."
        raise


def _base_url(server_url: str) -> str:
    try:
        return normalize_base_url(server_url)
    except ValueError as error:
        raise click.UsageError(f"--server-url: {error}") from None


def _key() -> str | None:
    return (os.environ.get(API_KEY) or "").strip() or None
