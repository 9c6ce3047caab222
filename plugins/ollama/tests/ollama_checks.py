"""What the fake Ollama refuses of a request, in the words of the real one.

Recorded: a missing body (chat-empty-body), bad JSON (chat-bad-json), no model or a name that is none (*-no-model,
*-bad-name), `content` of another type (content-parts-as-openai), arguments of tool calls as a text
(tools-arguments-as-string), bad base64 (images-bad-base64), an option of the wrong type (option-wrong-type: a 500),
another `format` than "json" or an object (format-string-other: a 500), a schema of an unknown type
(format-invalid-schema), a bad `think` (think-bad-level) or `keep_alive` (keep-alive-bad), `top_logprobs` above 20
(logprobs-top-21), `input` that is no text (embed-wrong-type), thinking of a model that cannot (think-*-on-plain-model).

Only read: the same words for other ill-typed fields.

Stricter than the real one, which ignores them without a word: a field or an option that it does not know is a 501, so
that a misspelt one fails a test.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from llamafarm_kit.testing import Asked

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
STRUCTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
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
    "/api/pull": ("PullRequest", {"model": "string", "stream": "bool", "insecure": "bool"}),
    "/api/delete": ("DeleteRequest", {"model": "string"}),
}
_MESSAGE = {"role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"}
_WHOLE = "num_ctx num_batch num_gpu main_gpu num_thread draft_num_predict num_keep seed num_predict top_k repeat_last_n"
_FLOATS = "top_p min_p typical_p temperature repeat_penalty presence_penalty frequency_penalty"
_OPTIONS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    **dict.fromkeys(_WHOLE.split(), ("integer", (int,))),
    **dict.fromkeys(_FLOATS.split(), ("float32", (int, float))),
    "use_mmap": ("boolean", (bool,)),
    "stop": ("array of strings", (list,)),
}
_GO = {list: "array", str: "string", dict: "object", bool: "bool", int: "number", float: "number"}


_SCHEMA_TYPES = {"string", "number", "integer", "boolean", "null", "object", "array"}
_NAME = re.compile(r"[\w.:/@-]+")
HINT = "if this is unexpected, you may need to provide the mmproj"


class Refused(Exception):
    """An error answer: a status and the text of `error`."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def body_of(asked: Asked, path: str) -> dict[str, Any]:
    if not asked.content:
        raise Refused(400, "missing request body")
    try:
        body = asked.body
    except ValueError:
        raise Refused(400, "unexpected EOF") from None
    struct, fields = STRUCTS[path]
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


def check_think(body: Mapping[str, Any], can: tuple[str, ...]) -> None:
    think = body.get("think")
    if not (think is None or isinstance(think, bool) or think in ("high", "medium", "low", "max")):
        levels = 'must be "high", "medium", "low", "max", true, or false'
        raise Refused(400, f"invalid think value: {json.dumps(think)} ({levels})")
    if think and "thinking" not in can:
        raise Refused(400, f'"{body["model"]}" does not support thinking')


def check_name(body: Mapping[str, Any], path: str) -> None:
    name = body.get("model", "")
    if not name:
        raise Refused(400, "invalid model name" if path == "/api/pull" else "model is required")
    if not _NAME.fullmatch(name):
        raise Refused(400, "invalid model name")


def check_schema(body: Mapping[str, Any]) -> None:
    shape = body.get("format")
    kind = shape.get("type") if isinstance(shape, dict) else None
    if kind is not None and kind not in _SCHEMA_TYPES:
        where = "Field 'json_schema': \"json_schema\": JSON schema conversion failed:\nJSON schema error at #"
        raise Refused(400, inner(400, "invalid_request_error", f"{where}: unrecognized type {kind}"))


def inner(code: int, kind: str, message: str, **more: int) -> str:
    """An error of the child that runs the model: JSON, which Ollama passes on as a text."""
    error = {"code": code, "message": message, "type": kind, **more}
    return json.dumps({"error": error}, separators=(",", ":"))


def _unmarshal(value: Any, field: str, kind: str) -> Refused:
    return Refused(
        400, f"json: cannot unmarshal {_GO.get(type(value), 'null')} into Go struct field {field} of type {kind}"
    )
