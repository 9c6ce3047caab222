"""An Ollama server for the tests, on a real socket.

Recorded, with Ollama 0.33.0-rc2 (`recordings/`, which the tests of the provider replay byte by byte):
  the lines of a chat and of a completion, whole and streamed (chat*, generate-*), with thinking (think-true*), tool calls
  on the last line (tools-*), logprobs, `length` (num-predict*); the load of a chat without messages (chat-preload);
  vectors, also cut by `dimensions` and left out for empty texts (embed-*); the lists (tags, ps-*), `show`, `version`, `root`;
  a pull (pull-*), `delete`; and every refusal whose text stands in `_refuse_*` and in `Refused` below: a missing model in
  its three wordings, what a model does not support, ill-typed fields (content-parts-as-openai, tools-arguments-as-string,
  option-wrong-type, think-bad-level, keep-alive-bad), a prompt that is too long (too-long-truncate-false, embed-too-long),
  an unknown route and a wrong method.

Only read, in Ollama's source: the text for ill-typed fields other than a message's `content`; logprobs of 0 to 20 as a
whole number; that `truncate` drops the oldest messages (recorded is only that the prompt was short in the end).

Stricter than the real one, which ignores them without a word: a field or an option that it does not know is a 501, so that
a misspelt one fails a test. Tokens are words. The model `contract:latest` can do everything, which no real one can.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llamafarm.testing import Asked, Peer

WHEN = "2026-11-22T14:51:09.582701199Z"
VERSION = "0.33.0-rc2"
MODELS: Mapping[str, tuple[str, ...]] = {
    "contract:latest": ("completion", "tools", "thinking", "insert", "vision", "embedding"),
    "tiny:latest": ("completion", "tools", "thinking"),
    "tiny-plain:latest": ("completion",),
    "tiny-bert:latest": ("embedding",),
}
DEFAULT_CONTEXT = 4096

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "[]api.Message": lambda value: isinstance(value, list),
    "api.Tools": lambda value: isinstance(value, list),
    "map[string]interface {}": lambda value: isinstance(value, dict),
    "any": lambda value: True,
}
_SHARED = {"model": "string", "stream": "bool", "keep_alive": "any", "options": "map[string]interface {}"}
_TEXTUAL = {"format": "any", "think": "any", "truncate": "bool", "shift": "bool"}
_STRUCTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "/api/chat": (
        "ChatRequest",
        {
            **_SHARED,
            **_TEXTUAL,
            "messages": "[]api.Message",
            "tools": "api.Tools",
            "logprobs": "bool",
            "top_logprobs": "int",
        },
    ),
    "/api/generate": (
        "GenerateRequest",
        {**_SHARED, **_TEXTUAL, "prompt": "string", "suffix": "string", "raw": "bool"},
    ),
    "/api/embed": ("EmbedRequest", {**_SHARED, "input": "any", "truncate": "bool", "dimensions": "int"}),
    "/api/show": ("ShowRequest", {"model": "string"}),
    "/api/pull": ("PullRequest", {"model": "string", "stream": "bool"}),
    "/api/delete": ("DeleteRequest", {"model": "string"}),
}
_MESSAGE = {"role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"}
_WHOLE = "num_ctx num_batch num_gpu main_gpu num_thread draft_num_predict num_keep seed num_predict top_k repeat_last_n"
_FLOATS = "top_p min_p typical_p temperature repeat_penalty presence_penalty frequency_penalty"
_OPTIONS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    **{name: ("integer", (int,)) for name in _WHOLE.split()},
    **{name: ("float32", (int, float)) for name in _FLOATS.split()},
    "use_mmap": ("boolean", (bool,)),
    "stop": ("array of strings", (list,)),
}
_GO = {list: "array", str: "string", dict: "object", bool: "bool", int: "number", float: "number"}


class Refused(Exception):
    """An error answer: a status and the text of `error`."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class FakeOllama:
    """A script for ScriptedUpstream.

    text: what it answers; None repeats the last message. thought: what it thinks before, where it may. calls: whether it
    calls the tools that it is given. tokens: of prompt and answer.
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
            "/api/tags": lambda: {"models": [_row(name) for name in self.models]},
            "/api/ps": lambda: {"models": [_running(name, length) for name, length in self.loaded.items()]},
        }
        if path not in told:
            missing = (405, "405 method not allowed") if path in _STRUCTS else (404, "404 page not found")
            return await peer.answer(*missing, {"content-type": "text/plain"})
        return await peer.answer(200, told[path]())

    async def _do(self, asked: Asked, path: str, peer: Peer) -> None:
        if path not in _STRUCTS:
            return await peer.answer(404, "404 page not found", {"content-type": "text/plain"})
        body = _body(asked, path)
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
        _check_think(body, can)
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
        _check_think(body, self.models[name])
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


def _body(asked: Asked, path: str) -> dict[str, Any]:
    if not asked.content:
        raise Refused(400, "missing request body")
    try:
        body = asked.body
    except ValueError:
        raise Refused(400, "unexpected EOF") from None
    struct, fields = _STRUCTS[path]
    _check_struct(body, struct, fields)
    for message in body.get("messages") or ():
        _check_message(message)
    _check_options(body.get("options") or {})
    _check_rest(body)
    return body


def _check_struct(body: Mapping[str, Any], struct: str, fields: Mapping[str, str]) -> None:
    for name, value in body.items():
        if name not in fields:
            raise Refused(501, f"the fake knows no field {name!r} of {struct}")
        if not _TYPES[fields[name]](value):
            raise _unmarshal(value, f"{struct}.{name}", fields[name])


def _check_message(message: Mapping[str, Any]) -> None:
    if unknown := message.keys() - _MESSAGE:
        raise Refused(501, f"the fake knows no field {sorted(unknown)} of a message")
    content = message.get("content")
    if content is not None and not isinstance(content, str):
        raise _unmarshal(content, "ChatRequest.messages.content", "string")
    for call in message.get("tool_calls") or ():
        if not isinstance(call["function"]["arguments"], dict):
            raise Refused(400, "Value looks like object, but can't find closing '}' symbol")
    for image in message.get("images") or ():
        try:
            base64.b64decode(image, validate=True)
        except binascii.Error:
            raise Refused(400, "illegal base64 data at input byte 0") from None


def _check_options(options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        if name not in _OPTIONS:
            raise Refused(501, f"the fake knows no option {name!r}")
        kind, types = _OPTIONS[name]
        if not isinstance(value, types) or (isinstance(value, bool) and kind != "boolean"):
            raise Refused(500, f'option "{name}" must be of type {kind}')


def _check_rest(body: Mapping[str, Any]) -> None:
    shape, alive = body.get("format"), body.get("keep_alive")
    if shape is not None and shape != "json" and not isinstance(shape, dict):
        raise Refused(
            500, f'invalid format: {json.dumps(json.dumps(shape))}; expected "json" or a valid JSON Schema object'
        )
    if isinstance(alive, str) and not re.fullmatch(r"-?([\d.]+(ns|us|ms|s|m|h))+|0", alive):
        raise Refused(400, f'time: invalid duration "{alive}"')
    if not 0 <= body.get("top_logprobs", 0) <= 20:
        raise Refused(400, "top_logprobs must be between 0 and 20")


def _check_think(body: Mapping[str, Any], can: tuple[str, ...]) -> None:
    think = body.get("think")
    if not (think is None or isinstance(think, bool) or think in ("high", "medium", "low", "max")):
        levels = 'must be "high", "medium", "low", "max", true, or false'
        raise Refused(400, f"invalid think value: {json.dumps(think)} ({levels})")
    if think and "thinking" not in can:
        raise Refused(400, f'"{body["model"]}" does not support thinking')


def _unmarshal(value: Any, field: str, kind: str) -> Refused:
    return Refused(
        400, f"json: cannot unmarshal {_GO.get(type(value), 'null')} into Go struct field {field} of type {kind}"
    )


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


def _row(name: str) -> dict[str, Any]:
    details = {"format": "gguf", "family": "qwen2", "parameter_size": "670K", "quantization_level": "F16"}
    capabilities = [one for one in MODELS.get(name, ()) if one not in ("tools", "thinking")]
    row = {"name": name, "model": name, "modified_at": WHEN, "size": 1361620, "digest": "fc61"}
    return {**row, "details": {**details, "context_length": 4096}, "capabilities": capabilities}


def _running(name: str, length: int) -> dict[str, Any]:
    row = {"name": name, "model": name, "size": 5683280, "size_vram": 0, "expires_at": WHEN}
    return {**row, "context_length": min(length, DEFAULT_CONTEXT)}


def _shown(can: tuple[str, ...]) -> dict[str, Any]:
    facts = {"general.architecture": "qwen2", "qwen2.context_length": DEFAULT_CONTEXT}
    return {"details": {"family": "qwen2"}, "model_info": facts, "capabilities": list(can)}
