"""POST /v1/embeddings."""

from __future__ import annotations

import array
import asyncio
import base64
import sys

from llamafarm.web import json_answer, request_id_of
from llamafarm.wire import Embedding, EmbeddingResponse, dump
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.messages import Embed, Finished, Run
from llamafarm_universal.server.endpoint import ignored_header, is_trusted, runtime_of
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.runtime import Ticket


async def embed(request: Request, parsed: Parsed) -> Response:
    runtime, name = runtime_of(request), parsed.values["model"]
    ref = runtime.handles.resolve(name, trusted=is_trusted(request))
    command = Run(request_id_of(request), ref, Embed(parsed.values["input"], parsed.get("dimensions")))
    ticket = await runtime.submit((command,), slots=1)
    try:
        embedded = await _embedded(ticket)
    finally:
        ticket.close()
    as_base64 = parsed.get("encoding_format") == "base64"
    answer = await asyncio.to_thread(_encode, embedded, name, as_base64=as_base64)
    return json_answer(answer, headers=ignored_header(parsed))


async def _embedded(ticket: Ticket) -> Finished:
    while True:
        event = await ticket.events.next()
        if isinstance(event, Finished):
            return event


def _encode(embedded: Finished, model: str, *, as_base64: bool) -> bytes:
    """In a thread: thousands of vectors as decimal numbers take a second."""
    form = _base64 if as_base64 else _floats
    data: list[Embedding] = [
        {"object": "embedding", "index": i, "embedding": form(vector)} for i, vector in enumerate(embedded.value)
    ]
    tokens = embedded.usage.prompt_tokens
    answer: EmbeddingResponse = {
        "object": "list",
        "model": model,
        "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return dump(answer)


def _base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode("ascii")


def _floats(vector: bytes) -> list[float]:
    numbers = array.array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
