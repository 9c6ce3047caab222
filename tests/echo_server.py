"""A real OpenAI-compatible server that answers with what it was told."""

from __future__ import annotations

import asyncio
import json
import re
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

    async def encode(request: Request) -> Response:
        body = json.loads(await request.body())
        echo.requests.append(body)
        return JSONResponse({**ENCODED[request.url.path](body), "usage": {"prompt_tokens": 7, "total_tokens": 7}})

    routes = [Route("/v1/chat/completions", chat, methods=["POST"]), Route("/v1/models", models)]
    return Starlette(routes=[*routes, *(Route(path, encode, methods=["POST"]) for path in ENCODED)])


def _vectors(body: dict[str, Any]) -> dict[str, Any]:
    """The number of a text's characters, or of those of a picture, and seven more."""
    inputs = [item["image"] if isinstance(item, dict) else item for item in body["input"]]
    rows = [{"index": at, "embedding": [len(text), *[0.5] * 7]} for at, text in enumerate(inputs)]
    return {"object": "list", "data": rows}


def _ranks(body: dict[str, Any]) -> dict[str, Any]:
    """A document is the better the more words of the query it has; they come as they were asked."""
    query = set(body["query"].split())
    scores = [len(query & set(text.split())) / len(query) for text in body["documents"]]
    return {"results": [{"index": at, "relevance_score": score} for at, score in enumerate(scores)]}


def _classes(body: dict[str, Any]) -> dict[str, Any]:
    """The second label for a text with an exclamation mark, else the first."""
    labels = body.get("candidate_labels") or ["quiet", "loud"]
    probs = [[0.25, 0.75] if "!" in text else [0.875, 0.125] for text in body["input"]]
    rows = [{"index": at, "label": labels[each.index(max(each))], "probs": each} for at, each in enumerate(probs)]
    return {"data": [{**row, "labels": labels} for row in rows]}


def _names(body: dict[str, Any]) -> dict[str, Any]:
    """Every word that begins with a capital letter is the name of a person."""
    found = [list(re.finditer(r"\b[A-Z]\w+", text)) for text in body["input"]]
    names = [
        [{"label": "PER", "text": m[0], "start": m.start(), "end": m.end(), "score": 0.5} for m in text]
        for text in found
    ]
    return {"data": [{"index": at, "entities": each} for at, each in enumerate(names)]}


def _objects(body: dict[str, Any]) -> dict[str, Any]:
    """A thing in every picture: the first label, as high as the picture's address is long."""
    label = (body.get("candidate_labels") or ["cow"])[0]
    rows = []
    for at, item in enumerate(body["input"]):
        box = {"xmin": 1.25, "ymin": 2.0, "xmax": 30.75, "ymax": len(item["image"])}
        found = {"label": label, "score": body.get("threshold", 0.5), "box": box}
        rows.append({"index": at, "width": 60, "height": 40, "objects": [found]})
    return {"object": "list", "data": rows}


def _depths(body: dict[str, Any]) -> dict[str, Any]:
    """The picture itself."""
    depths = [item["image"].rpartition(",")[2] for item in body["input"]]
    row = {"width": 2, "height": 1, "least": 0.5, "most": 20.0}
    return {"object": "list", "data": [{"index": at, **row, "depth": depth} for at, depth in enumerate(depths)]}


ENCODED = {
    "/v1/embeddings": _vectors,
    "/v1/rerank": _ranks,
    "/v1/classify": _classes,
    "/v1/ner": _names,
    "/v1/vision/detect": _objects,
    "/v1/vision/depth": _depths,
}
"""What is answered with a value, from the request alone."""
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
