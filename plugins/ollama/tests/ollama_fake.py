"""An Ollama server for the tests, on a real socket.

Recorded, with Ollama 0.33.0-rc2 (`recordings/`, which `test_recordings.py` replays byte by byte; names are its files):
  the lines of a chat and of a completion, whole and streamed (chat*, generate-*), with thinking (think-true*), with
  tool calls on the last line (tools-*), with logprobs, and cut at the limit (num-predict*); a chat without messages
  (chat-preload); vectors, cut by `dimensions`, and none for an empty text (embed-*); the lists (tags, ps-*), `show`,
  `version`, `root`; a pull (pull-*), `delete`; and the refusals: a missing model in its three wordings, what a model
  does not support, a prompt that is too long (too-long-truncate-false, embed-too-long), an unknown route, a wrong
  method, and the ill-typed fields that `ollama_checks.py` names.

Only read, in Ollama's source: that `truncate` drops the oldest messages; recorded is only that few tokens remained.

Tokens are words. The model `contract:latest` can do everything, which no real one can.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llamafarm.testing import Asked, Peer
from ollama_checks import STRUCTS, Refused, body_of, check_think

WHEN = "2026-11-22T14:51:09.582701199Z"
VERSION = "0.33.0-rc2"
MODELS: Mapping[str, tuple[str, ...]] = {
    "contract:latest": ("completion", "tools", "thinking", "insert", "vision", "embedding"),
    "tiny:latest": ("completion", "tools", "thinking"),
    "tiny-plain:latest": ("completion",),
    "tiny-bert:latest": ("embedding",),
}
DEFAULT_CONTEXT = 4096


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
        self.remote: set[str] = set()

    async def __call__(self, asked: Asked, peer: Peer) -> None:
        """Answer one request."""
        path = asked.path.partition("?")[0]
        try:
            if asked.method in ("GET", "HEAD"):
                await self._tell(path, peer)
            else:
                await self._do(asked, path, peer)
        except Refused as refused:
            await peer.answer(refused.status, {"error": refused.error})

    async def _tell(self, path: str, peer: Peer) -> None:
        if path == "/":
            return await peer.answer(200, "Ollama is running", {"content-type": "text/plain; charset=utf-8"})
        told = {
            "/api/version": lambda: {"version": VERSION},
            "/api/tags": lambda: {"models": [_row(name, self.remote) for name in self.models]},
            "/api/ps": lambda: {"models": [_running(name, length) for name, length in self.loaded.items()]},
        }
        if path not in told:
            missing = (405, "405 method not allowed") if path in STRUCTS else (404, "404 page not found")
            return await peer.answer(*missing, {"content-type": "text/plain"})
        return await peer.answer(200, told[path]())

    async def _do(self, asked: Asked, path: str, peer: Peer) -> None:
        if path not in STRUCTS:
            return await peer.answer(404, "404 page not found", {"content-type": "text/plain"})
        body = body_of(asked, path)
        if path == "/api/pull":
            return await _stream(peer, _pull(body, self.models))
        name = self._known(path, str(body.get("model", "")))
        if path == "/api/show":
            return await peer.answer(200, _shown(self.models[name]))
        if path == "/api/delete":
            del self.models[name]
            return await peer.head(200, {"content-length": "0"})
        if path == "/api/embed":
            return await peer.answer(200, self._vectors(body, name))
        lines = list(self._chat(body, name) if path == "/api/chat" else self._generate(body, name))
        if body.get("stream", True):
            return await _stream(peer, lines)
        return await peer.answer(200, _joined(lines))

    def _known(self, path: str, model: str) -> str:
        if not model:
            raise Refused(400, "model is required")
        name = model if ":" in model else f"{model}:latest"
        if name in self.models:
            return name
        texts = {
            "/api/show": f"model '{name}' not found",
            "/api/embed": f'model "{model}" not found, try pulling it first',
        }
        raise Refused(404, texts.get(path, f"model '{model}' not found"))

    def _chat(self, body: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
        can = self.models[name]
        if "completion" not in can:
            raise Refused(400, f'"{body["model"]}" does not support chat')
        if body.get("tools") and "tools" not in can:
            raise Refused(400, f"registry.ollama.ai/library/{name} does not support tools")
        check_think(body, can)
        messages = body.get("messages") or []
        if any(message.get("images") for message in messages) and "vision" not in can:
            raise Refused(500, json.dumps({"error": {"code": 500, "message": "image input is not supported"}}))
        if not messages:
            yield {**_head(body), "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "load"}
            return
        self._check_length(body, " ".join(message.get("content") or "" for message in messages), name)
        if self.thought and body.get("think") is not False and "thinking" in can:
            yield {
                **_head(body),
                "message": {"role": "assistant", "content": "", "thinking": self.thought},
                "done": False,
            }
        calls = [_call(at, tool) for at, tool in enumerate(body.get("tools") or ())] if self.calls else []
        text = messages[-1].get("content") or "" if self.text is None else self.text
        words, reason = _said("" if calls else text, body)
        for word in words:
            line = {**_head(body), "message": {"role": "assistant", "content": word}, "done": False}
            yield {**line, "logprobs": [_logprob(word, body)]} if body.get("logprobs") else line
        last = {"role": "assistant", "content": "", **({"tool_calls": calls} if calls else {})}
        yield {**_head(body), "message": last, **self._end(reason)}

    def _generate(self, body: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
        if body.get("suffix") and "insert" not in self.models[name]:
            raise Refused(400, f"registry.ollama.ai/library/{name} does not support insert")
        check_think(body, self.models[name])
        self._check_length(body, body.get("prompt", ""), name)
        words, reason = _said(body.get("prompt", "") if self.text is None else self.text, body)
        for word in words:
            yield {**_head(body), "response": word, "done": False}
        yield {**_head(body), "response": "", **self._end(reason)}

    def _vectors(self, body: Mapping[str, Any], name: str) -> dict[str, Any]:
        if "embedding" not in self.models[name]:
            raise Refused(501, "This server does not support embeddings. Start it with `--embeddings`")
        inputs = body.get("input")
        texts = [inputs] if isinstance(inputs, str) else inputs
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise Refused(400, "invalid input type")
        length = body.get("options", {}).get("num_ctx", DEFAULT_CONTEXT)
        if body.get("truncate") is False and any(len(text.split()) > length for text in texts):
            raise Refused(400, "the input length exceeds the context length")
        vectors = [[0.5, 0.25, len(text) / 8, 0.125][: body.get("dimensions") or 4] for text in texts if text]
        return {"model": body["model"], "embeddings": vectors, "total_duration": 9, "prompt_eval_count": 7}

    def _check_length(self, body: Mapping[str, Any], text: str, name: str) -> None:
        length = body.get("options", {}).get("num_ctx", DEFAULT_CONTEXT)
        self.loaded[name] = length
        count = len(text.split())
        if count > length and body.get("truncate") is False:
            message = (
                f"request ({count} tokens) exceeds the available context size ({length} tokens), try increasing it"
            )
            error = {"code": 400, "message": message, "type": "exceed_context_size_error", "n_prompt_tokens": count}
            raise Refused(400, json.dumps({"error": {**error, "n_ctx": length}}))

    def _end(self, reason: str) -> dict[str, Any]:
        prompt, answer = self.tokens
        durations = {"total_duration": 44682100, "load_duration": 5154163, "eval_duration": 7103000}
        return {"done": True, "done_reason": reason, **durations, "prompt_eval_count": prompt, "eval_count": answer}


def line(value: Mapping[str, Any]) -> bytes:
    """One line as Ollama writes it."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


async def _stream(peer: Peer, lines: Any) -> None:
    await peer.head(200, {"content-type": "application/x-ndjson", "transfer-encoding": "chunked"})
    for one in lines:
        await peer.pieces(line(one))
    await peer.pieces(b"")


def _head(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": body["model"], "created_at": WHEN}


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
        whole["message"] = {**whole["message"], "content": text, **({"thinking": thought} if thought else {})}
        logprobs = [entry for one in lines for entry in one.get("logprobs", ())]
        return {**whole, "logprobs": logprobs} if logprobs else whole
    return {**whole, "response": "".join(one["response"] for one in lines)}


def _call(at: int, tool: Mapping[str, Any]) -> dict[str, Any]:
    function = {"index": at, "name": tool["function"]["name"], "arguments": {"city": "Paris"}}
    return {"id": f"eoOE9zgML65kF9XadJZGHnHPqZmkBi{at:02}", "function": function}


def _logprob(word: str, body: Mapping[str, Any]) -> dict[str, Any]:
    one = {"token": word, "logprob": -0.005, "bytes": list(word.encode())}
    return {**one, "top_logprobs": [one] * body["top_logprobs"]} if body.get("top_logprobs") else one


def _pull(body: Mapping[str, Any], models: dict[str, tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    yield {"status": "pulling manifest"}
    if "nope" in body["model"]:
        yield {"error": "pull model manifest: file does not exist"}
        return
    digest = "sha256:" + "ab" * 32
    for completed in (0, 600, 1000):
        done = {"completed": completed} if completed else {}
        yield {"status": f"pulling {'ab' * 6}", "digest": digest, "total": 1000, **done}
    for status in ("verifying sha256 digest", "writing manifest", "success"):
        yield {"status": status}
    models[body["model"] if ":" in body["model"] else body["model"] + ":latest"] = ("completion",)


def _row(name: str, remote: set[str]) -> dict[str, Any]:
    details = {"format": "gguf", "family": "qwen2", "parameter_size": "670K", "quantization_level": "F16"}
    capabilities = [one for one in MODELS.get(name, ()) if one not in ("tools", "thinking")]
    row = {"name": name, "model": name, "modified_at": WHEN, "size": 1361620, "digest": "fc61"}
    row |= {"remote_host": "https://ollama.com:443"} if name in remote else {}
    return {**row, "details": {**details, "context_length": 4096}, "capabilities": capabilities}


def _running(name: str, length: int) -> dict[str, Any]:
    row = {"name": name, "model": name, "size": 5683280, "size_vram": 0, "expires_at": WHEN}
    return {**row, "context_length": min(length, DEFAULT_CONTEXT)}


def _shown(can: tuple[str, ...]) -> dict[str, Any]:
    facts = {"general.architecture": "qwen2", "qwen2.context_length": DEFAULT_CONTEXT}
    return {"details": {"family": "qwen2"}, "model_info": facts, "capabilities": list(can)}
