"""An Ollama server for the tests, on a real socket.

Recorded, with Ollama 0.33.0-rc2 (`recordings/`, which `test_recordings.py` replays byte by byte; names are its files):
  the lines of a chat and of a completion, whole and streamed (chat*, generate-*), with thinking (think-true*), with
  tool calls on the last line (tools-*), with logprobs, and cut at the limit (num-predict*); a chat without messages
  (chat-preload); vectors, cut by `dimensions`, and none for an empty text (embed-*); the lists (tags, ps-*), `show`,
  `version`, `root`; a pull (pull-*), `delete`; and the refusals: a missing model in its three wordings, what a model
  does not support, a prompt that is too long (too-long-truncate-false, embed-too-long), an unknown route, a wrong
  method, and the ill-typed fields that `ollama_checks.py` names.

  `test_fake.py` asks it what the real one was asked, and compares.

Only read, in Ollama's source: that `truncate` drops the oldest messages; recorded is only that few tokens remained.

Not played: what `format` does with an answer, and when it does nothing (rendered-format-*); loading, queues, a child
that dies, and a registry out of reach. Faults are in `test_faults.py`. Tokens are words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llamafarm_kit.testing import Asked, Peer
from ollama_checks import HINT, STRUCTS, Refused, body_of, check_name, check_schema, check_think, inner
from ollama_models import MODELS, WHEN, FakeModel

VERSION = "0.33.0-rc2"
JSON = {"content-type": "application/json; charset=utf-8"}
OWN_NAMES = {"127.0.0.1", "localhost"}


class FakeOllama:
    """A script for ScriptedUpstream.

    text: what it answers; None repeats the last message. thought: what it thinks before, where it may. calls: whether
    it calls the tools that it is given. tokens: of prompt and answer.
    """

    def __init__(
        self,
        text: str | None = "Hello there.",
        *,
        thought: str = "",
        calls: bool = False,
        tokens: tuple[int, int] = (3, 2),
    ) -> None:
        self.text = text
        self.thought = thought
        self.calls = calls
        self.tokens = tokens
        self.models = dict(MODELS)
        self.loaded: dict[str, int] = {}

    async def __call__(self, asked: Asked, peer: Peer) -> None:
        """Answer one request."""
        path = asked.path.partition("?")[0]
        if asked.headers["host"].partition(":")[0] not in OWN_NAMES or "origin" in asked.headers:
            return await peer.head(403, {"content-length": "0"})
        try:
            if asked.method in ("GET", "HEAD"):
                await self._tell(path, peer)
            else:
                await self._do(asked, path, peer)
        except Refused as refused:
            await _whole(peer, {"error": refused.error}, refused.status)

    async def _tell(self, path: str, peer: Peer) -> None:
        if path == "/":
            return await peer.answer(200, "Ollama is running", {"content-type": "text/plain; charset=utf-8"})
        told = {
            "/api/version": lambda: {"version": VERSION},
            "/api/tags": lambda: {"models": [model.row(name) for name, model in self.models.items()]},
            "/api/ps": lambda: {
                "models": [self.models[name].running(name, length) for name, length in self.loaded.items()]
            },
        }
        if path not in told:
            missing = (405, "405 method not allowed") if path in STRUCTS else (404, "404 page not found")
            return await peer.answer(*missing, {"content-type": "text/plain"})
        return await _whole(peer, told[path]())

    async def _do(self, asked: Asked, path: str, peer: Peer) -> None:
        if path not in STRUCTS:
            return await peer.answer(404, "404 page not found", {"content-type": "text/plain"})
        body = body_of(asked, path)
        check_name(body, path)
        if path == "/api/pull":
            return await _stream(peer, _pull(body, self.models))
        name = self._known(path, str(body.get("model", "")))
        if path == "/api/show":
            return await _whole(peer, self.models[name].shown())
        if path == "/api/delete":
            del self.models[name]
            return await peer.head(200, {"content-length": "0"})
        if path == "/api/embed":
            return await _whole(peer, self._vectors(body, name))
        lines = list(self._chat(body, name) if path == "/api/chat" else self._generate(body, name))
        if body.get("stream", True) and lines[-1]["done_reason"] != "load":
            return await _stream(peer, lines)
        return await _whole(peer, _joined(lines))

    def _known(self, path: str, model: str) -> str:
        name = model if ":" in model else f"{model}:latest"
        if name in self.models:
            return name
        texts = {
            "/api/show": f"model '{name}' not found",
            "/api/embed": f'model "{model}" not found, try pulling it first',
        }
        raise Refused(404, texts.get(path, f"model '{model}' not found"))

    def _chat(self, body: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
        can = self.models[name].can
        if "completion" not in can:
            raise Refused(400, f'"{body["model"]}" does not support chat')
        if body.get("tools") and "tools" not in can:
            raise Refused(400, f"registry.ollama.ai/library/{name} does not support tools")
        check_think(body, can)
        messages = body.get("messages") or []
        if any(message.get("images") for message in messages) and "vision" not in can:
            raise Refused(500, inner(500, "server_error", f"image input is not supported - hint: {HINT}"))
        check_schema(body)
        if not messages:
            yield {**_head(body), "message": _saying(""), "done": True, "done_reason": "load"}
            return
        self._check_length(body, " ".join(message.get("content") or "" for message in messages), name)
        if self.thought and body.get("think") is not False and "thinking" in can:
            yield {
                **_head(body),
                "message": {**_saying(""), "thinking": self.thought},
                "done": False,
            }
        calls = [_call(at, tool) for at, tool in enumerate(body.get("tools") or ())] if self.calls else []
        text = messages[-1].get("content") or "" if self.text is None else self.text
        words, reason = _said(text, body)
        for word in words:
            line = {**_head(body), "message": _saying(word), "done": False}
            yield {**line, "logprobs": [_logprob(word, body)]} if body.get("logprobs") else line
        if self.models[name].rendered:
            yield from ({**_head(body), "message": _saying("", [call]), "done": False} for call in calls)
        last = _saying("", [] if self.models[name].rendered else calls)
        yield {**_head(body), "message": last, **self._end(reason)}

    def _generate(self, body: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
        if body.get("suffix") and "insert" not in self.models[name].can:
            raise Refused(400, f"registry.ollama.ai/library/{name} does not support insert")
        check_think(body, self.models[name].can)
        self._check_length(body, body.get("prompt", ""), name)
        words, reason = _said(body.get("prompt", "") if self.text is None else self.text, body)
        for word in words:
            yield {**_head(body), "response": word, "done": False}
        context = {} if body.get("raw") else {"context": [1, 345, 201]}
        yield {**_head(body), "response": "", **self._end(reason), **context}

    def _vectors(self, body: Mapping[str, Any], name: str) -> dict[str, Any]:
        if "embedding" not in self.models[name].can:
            raise Refused(501, "This server does not support embeddings. Start it with `--embeddings`")
        inputs = body.get("input")
        texts = [inputs] if isinstance(inputs, str) else inputs
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise Refused(400, "invalid input type")
        length = self._length(body, name)
        if body.get("truncate") is False and any(len(text.split()) > length for text in texts):
            raise Refused(400, "the input length exceeds the context length")
        vectors = [[0.5, 0.25, len(text) / 8, 0.125][: body.get("dimensions") or 4] for text in texts if text]
        counts = {"total_duration": 9, "load_duration": 5, "prompt_eval_count": 7} if vectors else {}
        return {"model": body["model"], "embeddings": vectors, **counts}

    def _length(self, body: Mapping[str, Any], name: str) -> int:
        most = self.models[name].context
        return min(int(body.get("options", {}).get("num_ctx", most)), most)

    def _check_length(self, body: Mapping[str, Any], text: str, name: str) -> None:
        length = self._length(body, name)
        self.loaded[name] = length
        count = len(text.split())
        if count > length and body.get("truncate") is False:
            message = (
                f"request ({count} tokens) exceeds the available context size ({length} tokens), try increasing it"
            )
            raise Refused(400, inner(400, "exceed_context_size_error", message, n_prompt_tokens=count, n_ctx=length))

    def _end(self, reason: str) -> dict[str, Any]:
        prompt, answer = self.tokens
        durations = {"total_duration": 44682100, "load_duration": 5154163, "eval_duration": 7103000}
        return {"done": True, "done_reason": reason, **durations, "prompt_eval_count": prompt, "eval_count": answer}


def line(value: Mapping[str, Any]) -> bytes:
    """One line as Ollama writes it."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


async def _whole(peer: Peer, value: Any, status: int = 200) -> None:
    await peer.answer(status, line(value).decode().rstrip("\n"), JSON)


async def _stream(peer: Peer, lines: Any) -> None:
    await peer.head(200, {"content-type": "application/x-ndjson", "transfer-encoding": "chunked"})
    for one in lines:
        await peer.pieces(line(one))
    await peer.pieces(b"")


def _head(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": body["model"], "created_at": WHEN}


def _saying(text: str, calls: Sequence[Any] = ()) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **({"tool_calls": [*calls]} if calls else {})}


def _said(text: str, body: Mapping[str, Any]) -> tuple[list[str], str]:
    """The words of a text, up to `num_predict` of them, and why it ends."""
    first, *rest = text.split(" ")
    words = [word for word in (first, *(f" {word}" for word in rest)) if word]
    most = body.get("options", {}).get("num_predict", -1)
    return (words[:most], "length") if 0 < most <= len(words) else (words, "stop")


def _joined(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What `stream: false` answers: the last line, with all that was said before."""
    whole = dict(lines[-1])
    if "message" in whole:
        text = "".join(one["message"]["content"] for one in lines)
        thought = "".join(one["message"].get("thinking", "") for one in lines)
        calls = [call for one in lines for call in one["message"].get("tool_calls", ())]
        whole["message"] = {**_saying(text, calls), **({"thinking": thought} if thought else {})}
        logprobs = [entry for one in lines for entry in one.get("logprobs", ())]
        return {**whole, "logprobs": logprobs} if logprobs else whole
    return {**whole, "response": "".join(one["response"] for one in lines)}


def _call(at: int, tool: Mapping[str, Any]) -> dict[str, Any]:
    function = {"index": at, "name": tool["function"]["name"], "arguments": {"city": "Paris"}}
    return {"id": f"eoOE9zgML65kF9XadJZGHnHPqZmkBi{at:02}", "function": function}


def _logprob(word: str, body: Mapping[str, Any]) -> dict[str, Any]:
    one = {"token": word, "logprob": -0.005, "bytes": list(word.encode())}
    return {**one, "top_logprobs": [one] * body["top_logprobs"]} if body.get("top_logprobs") else one


def _pull(body: Mapping[str, Any], models: dict[str, FakeModel]) -> Iterator[dict[str, Any]]:
    yield {"status": "pulling manifest"}
    if "nope" in body["model"]:  # 200 and a line, as in pull-missing-stream
        yield {"error": "pull model manifest: file does not exist"}
        return
    digest = "sha256:" + "ab" * 32
    for completed in (0, 600, 1000):
        done = {"completed": completed} if completed else {}
        yield {"status": f"pulling {'ab' * 6}", "digest": digest, "total": 1000, **done}
    for status in ("verifying sha256 digest", "writing manifest", "success"):
        yield {"status": status}
    models[body["model"] if ":" in body["model"] else body["model"] + ":latest"] = FakeModel(("completion",))
