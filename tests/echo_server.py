"""A real OpenAI-compatible server that answers with what it was told."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


@dataclass
class Echo:
    """A server that speaks the OpenAI wire and answers with what it was told; `requests` is what came.

    `refuse` is refused, and the answer to `go on` never ends.
    """

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)


class Serving:
    """Runs an ASGI app on a real socket, in a thread, for the length of a `with`; gives its base URL."""

    def __init__(self, app: Any) -> None:
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._socket = config.bind_socket()
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        host, port = self._socket.getsockname()
        return f"http://{host}:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()
        assert not self._thread.is_alive()


def echo_app(echo: Echo) -> Starlette:
    async def chat(request: Request) -> Response:
        body = json.loads(await request.body())
        echo.requests.append(body)
        said = body["messages"][-1]["content"]
        if said == "refuse":
            error = {"message": "I do not answer that.", "type": "invalid_request_error", "code": "refused"}
            return JSONResponse({"error": error}, 400)
        words = ["You", " said:", f" {said}"]
        if body.get("stream"):
            return StreamingResponse(_stream(words, body), media_type="text/event-stream")
        return JSONResponse(_completion("".join(words), body["model"]))

    async def models(_request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "echo", "object": "model"}]})

    return Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"]), Route("/v1/models", models)])


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def _completion(text: str, model: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [choice],
        "usage": USAGE,
    }


async def _stream(words: list[str], body: dict[str, Any]) -> AsyncIterator[bytes]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    for word in words:
        choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
        yield f"data: {json.dumps({**head, 'choices': [choice]})}\n\n".encode()
    if words[-1] == " go on":
        await asyncio.Event().wait()
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    yield f"data: {json.dumps({**head, 'choices': [last]})}\n\n".encode()
    if (body.get("stream_options") or {}).get("include_usage"):
        yield f"data: {json.dumps({**head, 'choices': [], 'usage': USAGE})}\n\n".encode()
    yield b"data: [DONE]\n\n"
