"""What goes wrong with a program, as LlamaFarm's errors: each says what happened and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    UpstreamError,
)

SHOWN = 500
"""How many characters of what a program says are shown."""

_KINDS: dict[str, type[ProviderError]] = {
    "model_not_found": ModelNotFound,
    "context_length_exceeded": ContextLengthExceeded,
    "invalid_request": InvalidRequest,
    "busy": RateLimited,
    "denied": AuthenticationFailed,
    "not_ready": ProviderUnavailable,
}
_HINTS = {
    "model_not_found": "`model` of the model entry must name a model of the program.",
    "context_length_exceeded": "Shorten the conversation.",
}


def error_of(line: Mapping[str, Any], provider: str) -> ProviderError:
    """The error of a line such as {"error": "busy", "message": "…", "retry_after": 5}; the program's words are kept."""
    code = str(line["error"])
    kind = _KINDS.get(code, UpstreamError)
    message = str(line.get("message") or code)
    return kind(message, provider=provider, hint=_HINTS.get(code), retry_after=line.get("retry_after"))


def unreadable(said: Any, provider: str) -> UpstreamError:
    """The error of a line that is none of the protocol's."""
    return UpstreamError(
        f"The program of {provider} wrote a line that says nothing known: {str(said)[:SHOWN]}",
        provider=provider,
        hint="`command` of the model entry must name a program that speaks as llamafarm-echo-process describes.",
    )


def not_started(command: str, error: OSError, provider: str) -> ConnectionFailed:
    """The error of a program that is not there, or may not be executed."""
    return ConnectionFailed(
        f"Cannot start the program of {provider}, {command}: {error.strerror or error}",
        provider=provider,
        hint="`command` of the model entry must name a program that is there and may be executed.",
    )


def died(command: str, code: int, stderr: str, provider: str) -> UpstreamError:
    """The error of a program that ended too early. code: its exit code, or minus the signal that killed it."""
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    said = stderr.strip()[-SHOWN:]
    return UpstreamError(
        f"The program of {provider} {how} before its answer was complete" + (f": {said}" if said else "."),
        provider=provider,
        hint=f'Run it by hand to see why: echo \'{{"ask": "models"}}\' | {command}',
    )
