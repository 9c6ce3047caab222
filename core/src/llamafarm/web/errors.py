"""Errors as HTTP answers, always in OpenAI's envelope."""

from __future__ import annotations

import math
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from llamafarm.errors import LlamaFarmError, ProviderError, RequestError
from llamafarm.web.answers import json_answer
from llamafarm.wire.envelope import envelope

SHOWN_PATH = 200
"""How many characters of an unknown path are repeated."""


def error_response(error: LlamaFarmError) -> Response:
    """The answer that `error` is: its own status and, where it says when to come back, Retry-After in seconds."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else {}
    if isinstance(error, ProviderError):
        headers |= error.headers
    if isinstance(error, ProviderError) and error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    return json_answer(envelope(error), status=error.status, headers=headers)


async def on_error(_: Request, error: Exception) -> Response:
    """Starlette's handler for ours."""
    assert isinstance(error, LlamaFarmError)
    return error_response(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for what its router refuses: no such path, no such method."""
    assert isinstance(error, HTTPException)
    response = error_response(_refusal(request, error))
    response.headers.update(error.headers or {})
    return response


def _refusal(request: Request, error: HTTPException) -> RequestError:
    path = request.scope["path"][:SHOWN_PATH]
    if error.status_code == HTTPStatus.NOT_FOUND:
        return RequestError(f"There is nothing at {path}.", status=404, code="not_found")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{path} does not take {request.method}."
        return RequestError(message, hint=f"It takes {allowed}.", status=405, code="method_not_allowed")
    return RequestError(error.detail, status=error.status_code)
