"""OpenAI's error envelope: `{"error": {"message", "type", "code", "param"}}`.

Where a chat's trace was asked for, it stands beside that, as in an answer: `"llamafarm": {"trace": […]}`.
"""

from __future__ import annotations

import json
from typing import Any, NotRequired, TypedDict

from llamafarm.errors import LlamaFarmError
from llamafarm.wire import sse


class ErrorObject(TypedDict):
    message: str
    type: str
    code: str | None
    param: str | None


class ErrorEnvelope(TypedDict):
    error: ErrorObject
    llamafarm: NotRequired[dict[str, Any]]


def error_envelope(error: LlamaFarmError) -> ErrorEnvelope:
    """Return the envelope of `error`; the hint follows the message."""
    body: ErrorObject = {"message": str(error), "type": error.type, "code": error.code, "param": error.param}
    return {"error": body, "llamafarm": {"trace": error.trace}} if error.trace else {"error": body}


def error_event(error: LlamaFarmError) -> bytes:
    """Return the event that ends a running stream: nothing follows it, not even `[DONE]`."""
    return sse.encode(error_envelope(error))


def read_error(body: Any) -> tuple[str, str | None, str | None] | None:
    """Return (message, code, param) of an error body, or None where it holds no error.

    Servers disagree about the shape: `error` may be an object, a string or a flag beside a `message`, FastAPI says
    `detail`, some send the object itself with `"object": "error"`, Google a list of envelopes, some pass on another
    server's envelope as a text, and `code` may be a number, which only repeats the status.
    """
    if isinstance(body, list):
        return read_error(body[0]) if body and isinstance(body[0], dict) else None
    if not isinstance(body, dict):
        return None
    if body.get("object") == "error" and "error" not in body:
        return _read_object(body)
    error = body.get("error")
    if error in (None, "", False):
        error = body.get("detail")
    if isinstance(error, dict):
        return _inner(error) or _read_object(error)
    if isinstance(error, str) and error:
        return _inner({"message": error}) or (_with_message(error, body), None, None)
    if error is True:
        return _read_object(body)
    return (_text(error), None, None) if error else None


def _with_message(error: str, body: dict[str, Any]) -> str:
    """The error, and what stands beside it: frameworks name the status in `error` and say in `message` why."""
    message = body.get("message")
    return f"{error}: {message}" if isinstance(message, str) and message else error


def _inner(error: dict[str, Any]) -> tuple[str, str | None, str | None] | None:
    """The error of an envelope that is written in the message of another one."""
    message = error.get("message")
    if not isinstance(message, str) or not message.startswith('{"error"'):
        return None
    try:
        return read_error(json.loads(message))
    except (ValueError, RecursionError):
        return None


def _read_object(error: dict[str, Any]) -> tuple[str, str | None, str | None]:
    named = [error[key] for key in ("code", "type") if isinstance(error.get(key), str) and error[key]]
    named = [name for name in named if not name.isdigit()]
    param = error.get("param")
    return _text(error.get("message") or error), named[0] if named else None, param if isinstance(param, str) else None


def _text(said: Any) -> str:
    """What a server said, as it said it: a text, else JSON."""
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
