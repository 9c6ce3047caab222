"""Requests of the OpenAI wire in the words of Ollama's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm.errors import InvalidRequest
from pydantic import ValidationError

from llamafarm_ollama.config import OllamaEntry
from llamafarm_ollama.messages import messages_of
from llamafarm_ollama.options import LOAD_TIME, NAMES, Options, only

_EFFORTS: Mapping[str, Any] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
}
_LIMITS = ("max_tokens", "max_completion_tokens")


def chat_request(request: Mapping[str, Any], entry: OllamaEntry) -> dict[str, Any]:
    """The body of `POST /api/chat`. Raises InvalidRequest for what Ollama has no place for."""
    shape = format_of(request.get("response_format"), entry.provider)
    body = {
        **_generating(request, entry),
        "messages": messages_of(request["messages"], entry.provider),
        "format": shape,
        "think": _think(request, entry.provider, shaped=shape is not None),
        "tools": None if request.get("tool_choice") == "none" else request.get("tools") or None,
        **_logprobs(request, entry.provider),
    }
    return _given(body)


def generate_request(request: Mapping[str, Any], entry: OllamaEntry) -> dict[str, Any]:
    """The body of `POST /api/generate`: `raw`, so that no template is put around the prompt.

    Only with a `suffix` the template is needed: it says where the middle belongs. Raises InvalidRequest.
    """
    suffix, raw = request.get("suffix") or None, request.get("raw")
    body = {
        **_generating(request, entry),
        "prompt": _prompt(request["prompt"], entry.provider),
        "suffix": suffix,
        "raw": raw if raw is not None else (None if suffix else True),
        "think": request.get("think"),
    }
    return _given(body)


def embed_request(request: Mapping[str, Any], entry: OllamaEntry) -> dict[str, Any]:
    """The body of `POST /api/embed`. Raises InvalidRequest."""
    own = entry.model_copy(update={"options": Options(**only(entry.options.given(), LOAD_TIME))})
    body = {
        "model": entry.model,
        "input": texts_of(request["input"], entry.provider),
        "dimensions": request.get("dimensions"),
        "truncate": _or(request.get("truncate"), entry.truncate),
        "keep_alive": _or(request.get("keep_alive"), entry.keep_alive),
        "options": options_of(request, own) or None,
    }
    return _given(body)


def texts_of(inputs: Any, provider: str) -> list[str]:
    """The texts to embed, each with something in it: Ollama leaves empty ones out of its answer."""
    texts = inputs if isinstance(inputs, list) else [inputs]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise _wrong(
            "input", "must be a text, or a list of texts; Ollama embeds neither token ids nor pictures", provider
        )
    if not all(texts):
        raise _wrong("input", "must not hold an empty text: Ollama has no embedding for it", provider)
    return list(texts)


def options_of(request: Mapping[str, Any], entry: OllamaEntry) -> dict[str, Any]:
    """The options: the entry's, then the request's `options`, then its own fields. A null takes one away.

    Raises InvalidRequest for an option that is not there, or of the wrong type.
    """
    said = request.get("options") or {}
    if not isinstance(said, dict):
        raise _wrong("options", "must be an object", entry.provider)
    fields = {name: value for name, value in request.items() if name in NAMES}
    merged = {**entry.options.given(), **said, **fields}
    limits = [_limit(name, request[name], entry.provider) for name in _LIMITS if request.get(name) is not None]
    if limits:
        merged["num_predict"] = min(limits)
    if isinstance(merged.get("stop"), str):
        merged["stop"] = [merged["stop"]]
    try:
        return Options.model_validate(merged).given()
    except ValidationError as error:
        raise _wrong_option(error, entry.provider) from None


def format_of(response_format: Any, provider: str) -> Any:
    """`format` for a `response_format`: None for text, "json", or a JSON Schema."""
    if response_format is None:
        return None
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return "json"
    described = response_format.get("json_schema") if kind == "json_schema" else None
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        raise _wrong("response_format", "must be of type text, json_object, or json_schema with a schema", provider)
    return schema


def _generating(request: Mapping[str, Any], entry: OllamaEntry) -> dict[str, Any]:
    """What chat and completions share."""
    return {
        "model": entry.model,
        "stream": bool(request.get("stream")),
        "truncate": _or(request.get("truncate"), entry.truncate),
        "shift": _or(request.get("shift"), entry.truncate),
        "keep_alive": _or(request.get("keep_alive"), entry.keep_alive),
        "options": options_of(request, entry) or None,
    }


def _think(request: Mapping[str, Any], provider: str, *, shaped: bool) -> Any:
    """Whether to think, and how much.

    With a format nobody thinks unless asked: a model that could think, and does not, would ignore the format.
    """
    if request.get("think") is not None:
        return request["think"]
    effort = request.get("reasoning_effort")
    if effort is None:
        return False if shaped else None
    if effort not in _EFFORTS:
        raise _wrong("reasoning_effort", f"must be one of {', '.join(_EFFORTS)}", provider)
    return _EFFORTS[effort]


def _logprobs(request: Mapping[str, Any], provider: str) -> dict[str, Any]:
    wanted, top = request.get("logprobs"), request.get("top_logprobs")
    if top is not None and not wanted:
        raise _wrong("top_logprobs", "needs `logprobs: true`", provider)
    return {"logprobs": True, "top_logprobs": top} if wanted else {}


def _limit(name: str, value: Any, provider: str) -> int:
    """Ollama takes 0 and less for no limit."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _wrong(name, "must be a whole number from 1 on", provider)
    return value


def _prompt(prompt: Any, provider: str) -> str:
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str) or not prompt:
        raise _wrong("prompt", "must be one text; Ollama takes no token ids and continues one at a time", provider)
    return prompt


def _wrong_option(error: ValidationError, provider: str) -> InvalidRequest:
    problem = error.errors(include_url=False)[0]
    return _wrong(str(problem["loc"][0]), f"is wrong: {problem['msg']}", provider)


def _wrong(param: str, what: str, provider: str) -> InvalidRequest:
    return InvalidRequest(f"The field {param!r} {what}.", provider=provider, code="invalid_value", param=param)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
