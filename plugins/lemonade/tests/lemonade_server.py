"""A Lemonade server for tests, played on real sockets: `lemond` 11.7.0 as far as LlamaFarm asks it.

Recorded (the file in `recordings/` that a shape comes from stands beside it): every route's path, method and status;
`/live`, `/v1/health`, `/v1/models`, `/v1/models/NAME`, `/v1/load`, `/v1/unload`, `/v1/delete`, `/v1/stats`; chats and
text completions, whole and streamed, with tool calls, with and without usage; the refusals of a wrong key, of a missing
model, of a bad body, of a prompt that is too long (a 400, or a 200 with one error event), of a backend that fails, of
embeddings and rerank on a chat model, of pictures and speech that this machine cannot make; a pull without network;
that a connection which was promised to be kept is closed after a stream; that loading a model evicts the one before;
that names are accepted with and without their prefix; that a negative `max_tokens`, an empty `messages` and unknown
fields are accepted.

Only read, in the server's documents and sources, and never seen: the events of a pull that succeeds, that closing its
connection ends it and that the next one goes on, `: ping` comments, an error event in the middle of a stream,
`slots_pinned_error`, embeddings, rerank, pictures and sound that succeed (`lemonade_media`), `downloaded: false`, and
the refusal of an ill-typed `ctx_size`, which is written after that of a missing `model_name`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from lemonade_answers import (
    TEXT,
    chunks,
    ill_typed,
    named,
    recorded,
    recorded_event,
    refuse,
    said_by_the_backend,
    usage,
    wants_usage,
    whole,
)
from lemonade_media import SOUND, SOUND_HEAD, form_of, heard, pictures, ranked
from llamafarm.wire import sse
from llamafarm_kit.testing import Asked, Peer

MODEL = "Tool-Tiny-F16"
EMBEDDER = "Embed-Tiny-F16"
PREFIXES = ("/v1", "/api/v1", "/v0", "/api/v0")
BACKENDS = ("auto", "cpu")
LABELS = {"embedding": ["embeddings"], "reranking": ["reranking"], "image": ["image", "edit"]}
LABELS |= {"transcription": ["transcription"], "tts": ["tts"]}
KEEP_ALIVE = {"connection": "keep-alive", "cache-control": "no-cache"}
STREAMED = {"transfer-encoding": "chunked", "content-type": "text/event-stream", **KEEP_ALIVE}  # text-stream.json


@dataclass
class Model:
    """One model that the server knows."""

    kind: str = "llm"
    downloaded: bool = True
    context: int = 2048
    supported: bool = True


@dataclass
class LemonadeServer:
    """The server's state; calling it answers one request.

    log: (path, body) of every request that was answered. closes: whether it ends the connection after a stream.
    partial: how much of a model came, in percent, before its pull was cut off.
    """

    models: dict[str, Model] = field(default_factory=lambda: {MODEL: Model(), EMBEDDER: Model("embedding")})
    loaded: dict[str, dict[str, Any]] = field(default_factory=dict)
    api_key: str | None = None
    text: str = TEXT
    finish: str = "stop"
    offline: bool = False
    backend_fails: bool = False
    closes: bool = True
    log: list[tuple[str, Any]] = field(default_factory=list)
    partial: dict[str, int] = field(default_factory=dict)

    def asked(self, path: str) -> list[Any]:
        """The bodies that were sent to a path."""
        return [body for found, body in self.log if found == path]

    async def __call__(self, asked: Asked, peer: Peer) -> None:
        path = asked.path.partition("?")[0]
        if path == "/live":  # auth-live-is-open.json
            return await peer.answer(200, recorded("live"))
        if self.api_key and asked.headers.get("authorization") != f"Bearer {self.api_key}":
            return await refuse(peer, 401, recorded("auth-wrong-key"))
        try:
            body = form_of(asked) or (asked.body if asked.content else {})
        except ValueError:
            return await refuse(peer, 400, recorded("chat-bad-json"))
        prefix = next((one for one in sorted(PREFIXES, key=len, reverse=True) if path.startswith(f"{one}/")), "")
        route = path.removeprefix(prefix) if prefix else path
        self.log.append((route, body))
        return await self._route(asked.method, route, body, peer)

    async def _route(self, method: str, route: str, body: Any, peer: Peer) -> None:
        routes = {
            ("GET", "/health"): self._health,
            ("GET", "/models"): self._list,
            ("GET", "/stats"): self._stats,
            ("POST", "/load"): self._load,
            ("POST", "/unload"): self._unload,
            ("POST", "/delete"): self._delete,
            ("POST", "/pull"): self._pull,
            ("POST", "/chat/completions"): self._chat,
            ("POST", "/completions"): self._complete,
            ("POST", "/embeddings"): self._embed,
            ("POST", "/rerank"): self._rerank,
            ("POST", "/images/generations"): self._draw,
            ("POST", "/images/edits"): self._draw,
            ("POST", "/images/variations"): self._draw,
            ("POST", "/audio/transcriptions"): self._transcribe,
            ("POST", "/audio/speech"): self._speak,
        }
        found = routes.get((method, route))
        if found is not None:
            return await found(body, peer)
        if method == "GET" and route.startswith("/models/"):
            return await self._describe(route.removeprefix("/models/"), peer)
        error = recorded("slots-or-unknown-route")["error"] | {"path": route}
        return await refuse(peer, 404, {"error": error})

    async def _health(self, _: Any, peer: Peer) -> None:
        body = recorded("health-before-load")
        template = recorded("health-loaded")["all_models_loaded"][0]
        for name, options in self.loaded.items():
            row = {**template, "model_name": name, "type": self.models[name].kind}
            row["recipe_options"] = {"ctx_size": self.models[name].context, "llamacpp_backend": "cpu", **options}
            body["all_models_loaded"].append(row)
            body["model_loaded"] = name
        await peer.answer(200, body)

    async def _stats(self, _: Any, peer: Peer) -> None:
        await peer.answer(200, recorded("stats"))

    async def _list(self, _: Any, peer: Peer) -> None:
        rows = [self._row(name) for name, model in self.models.items() if model.downloaded]
        await peer.answer(200, {"data": rows, "object": "list"})

    async def _describe(self, name: str, peer: Peer) -> None:
        if (known := self._known(name)) is None:
            return await self._missing(name, peer)
        return await peer.answer(200, self._row(known))

    def _row(self, name: str) -> dict[str, Any]:
        model = self.models[name]
        labels = LABELS.get(model.kind, ["custom", "chat"])
        row = recorded("model-by-id")
        return {**row, "id": name, "downloaded": model.downloaded, "context_length": model.context, "labels": labels}

    async def _load(self, body: Any, peer: Peer) -> None:
        name = body.get("model_name")
        if not isinstance(name, str):
            return await refuse(peer, 400, recorded("load-no-name"))
        if not isinstance(body.get("ctx_size", 0), int):  # only read
            return await refuse(peer, 400, ill_typed(body["ctx_size"], "number"))
        if (known := self._known(name)) is None:
            return await self._missing(name, peer)
        if body.get("llamacpp_backend", "auto") not in BACKENDS:
            return await refuse(peer, 500, named(recorded("load-bad-backend"), name))
        if self.backend_fails:
            return await refuse(peer, 500, named(recorded("chat-backend-fails"), name))
        self._put(known, {key: value for key, value in body.items() if key != "model_name"})
        return await peer.answer(200, {**recorded("load"), "model_name": name})

    def _put(self, name: str, options: dict[str, Any]) -> None:
        """One model of a kind is kept: load-second-model-evicts.json."""
        kind = self.models[name].kind
        self.models[name].downloaded = True
        self.loaded = {other: kept for other, kept in self.loaded.items() if self.models[other].kind != kind}
        self.loaded[name] = options

    async def _unload(self, body: Any, peer: Peer) -> None:
        name = body.get("model_name")
        known = self._known(name) if name else None
        if name and known not in self.loaded:
            return await refuse(peer, 404, {"error": f"Model not loaded: {name}"})  # unload-not-loaded.json
        self.loaded = {other: kept for other, kept in self.loaded.items() if name and other != known}
        return await peer.answer(200, {**recorded("unload"), "model_name": name})

    async def _delete(self, body: Any, peer: Peer) -> None:
        for known in (self.models, self.loaded):  # only read: it is unloaded first
            known.pop(body["model_name"].removeprefix("user."), None)
        message = f"Deleted model: {body['model_name']}"  # delete-missing.json: a missing one too
        await peer.answer(200, {"message": message, "status": "success"})

    async def _pull(self, body: Any, peer: Peer) -> None:
        if self.offline:
            return await refuse(peer, 400, recorded("pull-offline"))
        name = body["model_name"].removeprefix("user.")
        if name not in self.models and not body.get("checkpoint"):
            return await self._missing(body["model_name"], peer)
        self.models.setdefault(name, Model()).downloaded = True
        file = {"file": f"{name}.gguf", "file_index": 1, "total_files": 1, "bytes_total": 100}
        begun = self.partial.get(name, 0)
        steps = [{**file, "bytes_downloaded": done, "percent": done} for done in (0, 60, 100) if done >= begun]
        events = [sse.encode(step, event="progress") for step in steps]  # only read
        return await self._stream(peer, b": ping\n\n", *events, sse.encode(steps[-1], event="complete"))

    async def _chat(self, body: Any, peer: Peer) -> None:
        if not await self._accepts(body, peer):
            return None
        if not isinstance(body.get("messages"), list):
            return await refuse(peer, 400, recorded("chat-messages-wrong-type"))
        if words := self._too_long(body):
            if body.get("stream"):
                return await self._stream(peer, sse.encode(recorded_event("chat-too-long-stream", words)))
            return await refuse(peer, 400, said_by_the_backend("chat-too-long", words))
        if not body.get("stream"):
            return await peer.answer(200, whole(body, self.text, self.finish))
        return await self._stream(peer, *chunks(body, self.text, self.finish), sse.DONE)

    async def _complete(self, body: Any, peer: Peer) -> None:
        if not await self._accepts(body, peer):
            return None
        choice = {"finish_reason": self.finish, "index": 0, "logprobs": None, "text": self.text}
        answer = {**recorded("completions"), "choices": [choice], "usage": usage()}
        if not body.get("stream"):
            return await peer.answer(200, answer)
        end = [{**answer, "choices": []}] if wants_usage(body) else []
        answer.pop("usage")
        return await self._stream(peer, *map(sse.encode, [answer, *end]), sse.DONE)

    async def _embed(self, body: Any, peer: Peer) -> None:
        if not await self._accepts(body, peer):
            return None
        if not self._does(body, "embedding"):
            return await refuse(peer, 501, recorded("embeddings-on-chat-model"))
        inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
        rows = [{"object": "embedding", "index": at, "embedding": [0.5, float(at)]} for at in range(len(inputs))]
        counts = {"prompt_tokens": len(inputs), "total_tokens": len(inputs)}
        return await peer.answer(200, {"object": "list", "model": body["model"], "data": rows, "usage": counts})

    async def _rerank(self, body: Any, peer: Peer) -> None:
        if not await self._accepts(body, peer):
            return None
        if not self._does(body, "reranking"):
            return await refuse(peer, 501, recorded("rerank-on-chat-model"))
        return await peer.answer(200, ranked(body))

    async def _draw(self, body: Any, peer: Peer) -> None:
        if await self._accepts(body, peer):
            await peer.answer(*pictures(body))

    async def _transcribe(self, body: Any, peer: Peer) -> None:
        if await self._accepts(body, peer):
            await peer.answer(200, heard(body, self.text))

    async def _speak(self, body: Any, peer: Peer) -> None:
        if await self._accepts(body, peer):
            await peer.head(200, SOUND_HEAD)
            await peer.send(SOUND)

    def _does(self, body: Any, kind: str) -> bool:
        """Whether the model of a request is of that kind."""
        return self.models[self._known(body["model"]) or ""].kind == kind

    async def _accepts(self, body: Any, peer: Peer) -> bool:
        """Whether the model is there and the body well-typed; the refusal is sent where not. It loads by itself."""
        name = body.get("model")
        if not isinstance(name, str):
            await refuse(peer, 400, recorded("chat-no-model-field"))
        elif (known := self._known(name)) is None:
            await self._missing(name, peer)
        elif not self.models[known].supported:
            await refuse(peer, 404, named(recorded("images-missing-model"), name, "SD-Turbo"))
        elif self.backend_fails:
            await refuse(peer, 500, named(recorded("chat-backend-fails"), name))
        elif "messages" in body and not isinstance(body.get("temperature", 0) or 0, int | float):
            await refuse(peer, 400, recorded("chat-temperature-string"))
        else:
            if known not in self.loaded:
                self._put(known, {key: body[key] for key in ("ctx_size",) if key in body})
            return True
        return False

    def _too_long(self, body: Any) -> str:
        """What is said of a prompt that is longer than the context; each word is a token."""
        known = self._known(body["model"]) or ""
        count = len(json.dumps(body["messages"]).split())
        context = self.loaded[known].get("ctx_size", self.models[known].context)
        size = f"exceeds the available context size ({context} tokens), try increasing it"
        return f"request ({count} tokens) {size}" if count > context else ""

    def _known(self, name: str) -> str | None:
        for prefix in ("user.", "extra.", "builtin."):
            name = name.removeprefix(prefix)
        return name if name in self.models else None

    async def _missing(self, name: str, peer: Peer) -> None:
        await refuse(peer, 404, named(recorded("chat-missing-model"), name, "No-Such-Model"))

    async def _stream(self, peer: Peer, *pieces: bytes) -> None:
        await peer.head(200, STREAMED)
        await peer.pieces(*pieces, b"")
        if self.closes:
            peer.close()
