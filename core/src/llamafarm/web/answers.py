"""Answers of JSON, written as the rest of LlamaFarm writes it; errors among them, always in OpenAI's envelope."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from llamafarm.errors import LlamaFarmError, ProviderError, RequestError
from llamafarm.wire.body import Unparsed, dump
from llamafarm.wire.envelope import error_envelope

SHOWN_PATH = 200
"""How many characters of an unknown path are repeated."""


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The answer whose body is `value`; bytes, and an answer that is there as its bytes, are JSON already."""
    content = value.content if isinstance(value, Unparsed) else value
    if not isinstance(content, bytes):
        content = dump(content)
    return Response(content, status, headers, media_type="application/json")


def error_response(error: LlamaFarmError, *, lasting: bool = False) -> Response:
    """The answer that `error` is: its own status and, where it says when to come back, Retry-After in seconds.

    lasting: whether asking again gives the same, beside the errors that say so themselves; OpenAI's clients repeat
    every 5xx that does not say otherwise.
    """
    headers: dict[str, str] = {}
    if isinstance(error, ProviderError):
        headers |= error.headers
        if error.retry_after is not None:
            headers["Retry-After"] = str(math.ceil(error.retry_after))
    if lasting or error.lasting or error.status == HTTPStatus.NOT_IMPLEMENTED:
        headers["x-should-retry"] = "false"
    return json_answer(error_envelope(error), status=error.status, headers=headers)


def router_refusal(scope: Scope, error: HTTPException) -> Response:
    """The answer to what starlette's router refuses: no such path, no such method."""
    path, headers = scope["path"][:SHOWN_PATH], error.headers or {}
    refusal = RequestError(error.detail, status=error.status_code)
    if error.status_code == HTTPStatus.NOT_FOUND:
        refusal = RequestError(f"There is nothing at {path}.", status=404, code="not_found")
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message, hint = f"{path} does not take {scope['method']}.", f"It takes {headers.get('Allow', '')}."
        refusal = RequestError(message, hint=hint, status=405, code="method_not_allowed")
    response = error_response(refusal)
    response.headers.update(headers)
    return response
