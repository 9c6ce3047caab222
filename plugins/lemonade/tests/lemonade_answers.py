"""The bodies of a Lemonade server's answers, made from recorded ones; `lemonade_server` says which are only read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llamafarm.wire import sse
from llamafarm_kit.testing import Peer

RECORDINGS = Path(__file__).with_name("recordings")
TEXT = "Hello! I am a tiny test model."
TOKENS = (9, 10)


def recorded(name: str) -> Any:
    """The body of a recorded answer, parsed."""
    found = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))
    return json.loads("".join(piece["text"] for piece in found["pieces"]))


def whole(body: Any, text: str, finish: str) -> dict[str, Any]:
    """A whole chat answer: text.json, or tools-one-call.json. Without a text it is the question's."""
    answer = recorded("tools-one-call" if finish == "tool_calls" else "text")
    choice = answer["choices"][0]
    choice["finish_reason"] = finish
    if finish == "tool_calls":
        choice["message"]["tool_calls"][0]["function"]["name"] = body["tools"][0]["function"]["name"]
    else:
        choice["message"]["content"] = text or str(body["messages"][-1]["content"])
    return {**answer, "model": body["model"], "usage": usage()}


def chunks(body: Any, text: str, finish: str) -> Iterator[bytes]:
    """The events of a streamed chat answer before `[DONE]`: text-stream.json, or tools-one-call-stream.json."""
    head = {"created": 1, "id": "chatcmpl-1", "model": f"/srv/models/{body['model']}.gguf"}
    head |= {"system_fingerprint": "b1-0c1e570", "object": "chat.completion.chunk"}
    deltas = _call(body) if finish == "tool_calls" else _words(text or str(body["messages"][-1]["content"]))
    for delta in ({"role": "assistant", "content": None}, *deltas):
        yield sse.encode({"choices": [{"finish_reason": None, "index": 0, "delta": delta}], **head})
    yield sse.encode({"choices": [{"finish_reason": finish, "index": 0, "delta": {}}], **head})
    if wants_usage(body):
        yield sse.encode({"choices": [], **head, "usage": usage(), "timings": {"cache_n": 8}})


def _words(text: str) -> Iterator[dict[str, Any]]:
    first, *rest = text.split(" ")
    yield from ({"content": word} for word in (first, *(f" {word}" for word in rest)))


def _call(body: Any) -> Iterator[dict[str, Any]]:
    function = {"name": body["tools"][0]["function"]["name"], "arguments": "{"}
    yield {"tool_calls": [{"index": 0, "id": "OEQ3y00z", "type": "function", "function": function}]}
    for piece in ('"on": ', "true}"):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def usage() -> dict[str, Any]:
    prompt, answer = TOKENS
    return {"completion_tokens": answer, "prompt_tokens": prompt, "total_tokens": prompt + answer}


async def refuse(peer: Peer, status: int, body: Any) -> None:
    """An error: the server closes the connection after each, and says so."""
    await peer.answer(status, body, {"connection": "close"})
    peer.close()


def named(body: Any, name: str, instead_of: str = "Tiny-Qwen2-F16") -> Any:
    """A recorded body with another model's name."""
    return json.loads(json.dumps(body).replace(instead_of, name))


def said_by_the_backend(name: str, words: str) -> Any:
    """A recorded refusal of the backend's, with other words."""
    body = recorded(name)
    body["error"]["message"] = body["error"]["details"]["response"]["error"]["message"] = words
    return body


def recorded_event(name: str, words: str) -> Any:
    """The one event of a recorded stream, with other words."""
    found = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))
    body = json.loads("".join(piece["text"] for piece in found["pieces"]).removeprefix("data: "))
    body["error"]["message"] = words
    return body


def ill_typed(value: Any, wanted: str) -> Any:
    body = recorded("load-no-name")
    kind = {str: "string", list: "array", dict: "object"}.get(type(value), "null")
    words = f"Invalid request: [json.exception.type_error.302] type must be {wanted}, but is {kind}"
    body["error"]["message"] = words
    return body


def wants_usage(body: Any) -> bool:
    return bool((body.get("stream_options") or {}).get("include_usage"))
