"""OpenAI's error envelope: `{"error": {"message", "type", "code", "param"}}`."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from llamafarm.errors import LlamaFarmError
from llamafarm.wire import sse


class ErrorObject(TypedDict):
    message: str
    type: str
    code: str | None
    param: str | None


class ErrorEnvelope(TypedDict):
    error: ErrorObject


def envelope(error: LlamaFarmError) -> ErrorEnvelope:
    """Return the envelope of `error`; the hint follows the message."""
    return {"error": {"message": str(error), "type": error.type, "code": error.code, "param": error.param}}


def error_event(error: LlamaFarmError) -> bytes:
    """Return the event that ends a running stream: nothing follows it, not even `[DONE]`."""
    return sse.encode(envelope(error))


def read_error(body: Any) -> tuple[str, str | None, str | None] | None:
    """Return (message, code, param) of an error body, or None where it holds no error.

    Servers disagree about the shape: `error` may be an object or a string, FastAPI says `detail`, some send the object
    itself with `"object": "error"`, some pass on another server's envelope as a text, and `code` may be a number, which
    only repeats the status.
    """
    if not isinstance(body, dict):
        return None
    if body.get("object") == "error" and "error" not in body:
        return _read_object(body)
    error = body.get("error", body.get("detail"))
    if isinstance(error, str):
        return _inner({"message": error}) or (error, None, None)
    if isinstance(error, dict):
        return _inner(error) or _read_object(error)
    return (str(error), None, None) if error else None


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
    message = error.get("message")
    named = [error[key] for key in ("code", "type") if error.get(key) and isinstance(error[key], str)]
    param = error.get("param")
    text = message if isinstance(message, str) else str(error)
    return text, named[0] if named else None, param if isinstance(param, str) else None
