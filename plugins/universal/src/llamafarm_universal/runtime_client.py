"""The connection to a Universal Runtime: what is asked of models that it has loaded, with the settings of entries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar, cast
from urllib.parse import quote
from uuid import uuid4

from llamafarm import Call, Content, Endpoint, ModelEntry, Progress, Reply
from llamafarm.errors import ConnectionFailed, ProviderError
from llamafarm.http import Answer, host_and_port, read_content
from llamafarm.services import token_of
from llamafarm.wire import EmbeddingRequest, EmbeddingResponse, Operation, Unparsed, sse
from llamafarm_openai_compat import OpenAIProvider

from llamafarm_universal.answers import progress_of
from llamafarm_universal.config import API_PATH, UniversalEntry
from llamafarm_universal.service import service_name

TOKEN_HEADER = "X-LF-Service-Token"  # noqa: S105 - the header's name
DEADLINE_HEADER = "X-LF-Deadline"
"""Seconds that somebody waits for the answer: the runtime gives its turn to nobody who does not wait any more."""
SILENCE = 600.0
"""Seconds that the runtime may say nothing while it loads or downloads; it sends comments while it works."""
ABOUT_SECONDS = 10.0
"""How long the runtime may take to say what it knows of a model."""
NOT_LOADED = "model_not_loaded"
_NEEDED = {"loaded": "model", "pulled": "id"}
"""What the last event of each kind says at least."""

Answered = TypeVar("Answered")


class RuntimeClient:
    """Has each entry's model loaded before its first request, and again when the runtime was started again.

    root: the runtime's address, without the path of its API.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.root = endpoint.address.removesuffix(API_PATH)
        self._endpoint = endpoint
        self._client = OpenAIProvider(endpoint)
        self.upstream = self._client.upstream
        self._handles: dict[tuple[str, str], str] = {}

    async def ask(self, operation: Operation, request: dict[str, Any], call: Call) -> Reply:
        """Ask for what may be streamed. Raises ProviderError."""
        return await self._with_model(
            call, lambda handle: self._client.ask(operation, request, self._timed(call), handle)
        )

    async def ask_vectors(self, request: EmbeddingRequest, call: Call) -> EmbeddingResponse | Unparsed:
        """Ask for embeddings. Raises ProviderError."""
        return await self._with_model(call, lambda handle: self._client.ask_vectors(request, self._timed(call), handle))

    async def ask_value(self, operation: Operation, request: Any, call: Call) -> dict[str, Any]:
        """Ask for a JSON object. Raises ProviderError."""
        return await self._with_model(
            call, lambda handle: self._client.ask_value(operation, request, self._timed(call), handle)
        )

    async def ask_content(self, operation: Operation, request: Any, call: Call) -> Content:
        """Ask for a file, or what else comes as it is. Raises ProviderError."""
        return await self._with_model(
            call, lambda handle: self._client.ask_content(operation, request, self._timed(call), handle)
        )

    async def ask_json(self, path: str, body: dict[str, Any], call: Call) -> dict[str, Any]:
        """Ask a path of the runtime's own about the entry's model. Raises ProviderError."""
        return await self._with_model(
            call, lambda handle: self.upstream.post_json(path, {**body, "model": handle}, self._timed(call))
        )

    async def about(self, body: dict[str, Any], entry: ModelEntry) -> dict[str, Any]:
        """What is known of a model with settings; nothing is loaded. Raises ProviderError."""
        call = Call(entry, uuid4().hex, deadline=asyncio.get_running_loop().time() + ABOUT_SECONDS)
        path, headers = "/models/describe", self.token()
        async with await self.upstream.open_stream(path, body, call, stream=False, headers=headers) as answer:
            return await answer.json()

    async def file(self, name: str) -> Content:
        """A file that the runtime keeps. Raises ProviderError."""
        answer = await self.upstream.get(f"/images/files/{quote(name, safe='')}", within=SILENCE)
        return await read_content(self.upstream, answer)

    def forget_models(self) -> None:
        """Have every model loaded anew before it is asked."""
        self._handles.clear()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def follow(self, path: str, body: dict[str, Any], call: Call, last: str) -> dict[str, Any]:
        """Ask for what takes a while, pass on its progress, and return what its last event says.

        Raises ProviderError.
        """
        async with await self.upstream.open_stream(path, body, call, headers=self.token(), between=SILENCE) as answer:
            async for event in sse.events(answer, broken=answer.broken):
                told = self._read_event(event, answer, call)
                if event.name == last and _NEEDED[last] in told:
                    return told
            raise answer.broken("broke off before it was done")

    def token(self) -> dict[str, str]:
        """The headers that show that we may have the runtime do what changes it."""
        token = token_of(service_name(host_and_port(self.root)[1]), self.root)
        return {TOKEN_HEADER: token} if token else {}

    async def _with_model(self, call: Call, ask: Callable[[str], Awaitable[Answered]]) -> Answered:
        """Ask with the handle of the entry's model. A runtime that was started again loads it again, once."""
        entry = cast("UniversalEntry", call.entry)
        key = (entry.model, json.dumps(entry.load_settings(), sort_keys=True))
        known = self._handles.get(key)
        try:
            if known is not None:
                return await ask(known)
        except ConnectionFailed:
            self._handles.clear()
            raise
        except ProviderError as error:
            if error.code != NOT_LOADED:
                raise
        self._handles[key] = handle = await self._load(entry, call)
        return await ask(handle)

    def _timed(self, call: Call) -> Call:
        """The call, with a header that says for how long somebody waits for its answer."""
        limits = [self._endpoint.timeouts.total]
        if call.deadline is not None:
            limits.append(max(call.deadline - asyncio.get_running_loop().time(), 0.0))
        seconds = min((limit for limit in limits if limit is not None), default=None)
        return call if seconds is None else replace(call, trace={**call.trace, DEADLINE_HEADER: f"{seconds:.3f}"})

    async def _load(self, entry: UniversalEntry, call: Call) -> str:
        """Have the model loaded, passing on what the runtime tells, and return its handle. Raises ProviderError."""
        body = {"id": entry.model, "settings": entry.load_settings(), "stream": True}
        body |= entry.transformers.residency()
        told = await self.follow("/models/load", body, call, "loaded")
        call.progress(Progress("ready", f"{told.get('id')} is loaded on {told.get('device')}"))
        return str(told["model"])

    def _read_event(self, event: sse.Event, answer: Answer, call: Call) -> dict[str, Any]:
        """Return what an event says; progress is passed on. Raises the error that it tells."""
        try:
            told = json.loads(event.data)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise answer.broken(f"holds an event that is not a JSON object: {event.data[:200]}")
        if event.name == "progress":
            call.progress(progress_of(told))
        elif event.name == "error" or "error" in told:
            raise self.upstream.in_band(answer.url, told)
        return told
