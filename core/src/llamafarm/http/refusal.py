"""What a runtime's refusal means: its status and body, read into one of our errors, its own words kept."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from llamafarm.errors import (
    AuthenticationFailed,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    UpstreamError,
)
from llamafarm.wire.envelope import read_error

NEVER_RETRIED = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
"""Codes of a 429 that waiting does not cure."""

_CONTEXT_CODES = {"context_length_exceeded", "exceed_context_size_error"}
_CONTEXT_WORDS = re.compile(r"context[ _](length|size|window)|maximum.{0,20}tokens.{0,40}context", re.IGNORECASE)
_MODEL_CODES = {"model_not_found", "model_not_loaded", "model_not_supported", "model_not_cached"}
_LIMITS = re.compile(r"(x-|anthropic-)?ratelimit(-|$)")


@dataclass(frozen=True)
class Refusal:
    """An answer that is an error. body: parsed where it is JSON, else its text. url: what was asked."""

    provider: str
    url: str
    status: int
    body: Any
    retry_after: float | None = None


ReadError = Callable[[Refusal], ProviderError]
"""Turns a refusal into an error; plugins wrap `error_of` where their runtime has shapes or hints of its own."""


def error_of(refusal: Refusal) -> ProviderError:
    """Return the error that a refusal is, by its code where it says one, else by its status.

    Words count where a status means several things: a 404 is a ModelNotFound where they speak of a model, else an
    UpstreamError (a wrong address); a 400, 413 or 422 that speaks of the context's length is a ContextLengthExceeded.
    """
    message, code, param = read_error(refusal.body) or (_plain(refusal), None, None)
    kind = _kind(refusal.status, message, code)
    return kind(
        message,
        provider=refusal.provider,
        status=refusal.status if refusal.status >= 400 else None,  # a redirect would be one of ours to the client
        code=_code(kind, code),
        param=param,
        hint=_hint(kind, refusal, param),
        retry_after=refusal.retry_after,
    )


def in_band_status(body: Any) -> int:
    """The status of an error that came inside a 200: the number that it says itself, else what its code stands for."""
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and not isinstance(code, bool) and 400 <= code <= 599:
        return code
    if code in _CONTEXT_CODES or (isinstance(error, dict) and error.get("type") in _CONTEXT_CODES):
        return 400
    return 404 if code in _MODEL_CODES else 502


def limits_told(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers in which a runtime says how much may be asked of it, and how much is left."""
    told = ((name.lower(), value) for name, value in headers.items())
    return {name: value for name, value in told if _LIMITS.match(name) and value.isascii()}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the headers `retry-after-ms` or `Retry-After` (seconds or a date) ask to wait."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * scale
            return max(0.0, seconds) if math.isfinite(seconds) else None
        except ValueError:
            pass
        try:
            return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):
            pass
    return None


_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthenticationFailed,
    403: AuthenticationFailed,
    408: ProviderTimeout,
    429: RateLimited,
    503: ProviderUnavailable,
    504: ProviderTimeout,
    529: ProviderUnavailable,
}


def _kind(status: int, message: str, code: str | None) -> type[ProviderError]:
    if code in _CONTEXT_CODES or (status in (400, 413, 422) and _CONTEXT_WORDS.search(message)):
        return ContextLengthExceeded
    if code in _MODEL_CODES or (status == 404 and "model" in message.lower()):
        return ModelNotFound
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return InvalidRequest if 400 <= status < 500 and status != 404 else UpstreamError


def _code(kind: type[ProviderError], code: str | None) -> str | None:
    """The code that programs look for, where the runtime has another name for it; else its own."""
    known = {ContextLengthExceeded: {"context_length_exceeded"}, ModelNotFound: _MODEL_CODES}
    return kind.default_code if kind in known and code not in known[kind] else code


def _plain(refusal: Refusal) -> str:
    """The message of a body that is an error only by its status: its own, as gateways send it, else its beginning."""
    body = refusal.body or ""
    message = body.get("message") if isinstance(body, dict) else None
    if isinstance(message, str) and message:
        return message
    text = body.strip() if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    said = f": {text[:300]}" if text and not text.startswith("<") else "."
    return f"{refusal.url} answered with status {refusal.status}{said}"


def _hint(kind: type[ProviderError], refusal: Refusal, param: str | None) -> str | None:
    """param: the field of the request that is wrong; where there is one, something does answer at the address."""
    if kind is AuthenticationFailed and refusal.status == 401:
        return f"Check `api_key` of the model entry (provider {refusal.provider})."
    if kind is UpstreamError and refusal.status == 404 and param is None:
        return f"Nothing answers at {refusal.url}: check `base_url` of the model entry."
    if 300 <= refusal.status < 400:
        return "Redirects are not followed, since they would carry the key along: set `base_url` to the final address."
    return None
