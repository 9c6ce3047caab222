"""What the engine host's failures, and the host's own end, mean to the client."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from llamafarm.errors import (
    ContextLengthExceeded,
    InvalidRequest,
    LlamaFarmError,
    ModelNotFound,
    ProviderTimeout,
    RateLimited,
    RequestError,
    ServiceError,
)

from llamafarm_universal.messages import Failed, FailureKind

RETRY_SECONDS = 2.0
"""What a refused client is told to wait: an answer takes seconds, and some of many end soon."""


class EngineError(LlamaFarmError):
    """The engine host could not do what was asked; asking the same again gives the same."""

    lasting = True


@dataclass(frozen=True)
class _Shape:
    error: type[LlamaFarmError]
    status: int
    code: str | None


# 400 rather than 501 for what an engine cannot do: clients retry every status from 500 on.
_SHAPES: dict[FailureKind, _Shape] = {
    "model_not_found": _Shape(ModelNotFound, 404, "model_not_found"),
    "not_supported": _Shape(RequestError, 400, "operation_not_supported"),
    "context_length": _Shape(ContextLengthExceeded, 400, "context_length_exceeded"),
    "invalid_request": _Shape(InvalidRequest, 400, None),
    "unsupported_content": _Shape(InvalidRequest, 400, "unsupported_content"),
    "too_large": _Shape(RequestError, 413, "request_too_large"),
    "out_of_space": _Shape(ServiceError, 507, "out_of_space"),
    "load_failed": _Shape(EngineError, 500, "load_failed"),
    "out_of_memory": _Shape(EngineError, 503, "out_of_memory"),
    "busy": _Shape(RateLimited, 429, "rate_limit_exceeded"),
    "too_late": _Shape(ProviderTimeout, 504, "deadline_passed"),
    "in_use": _Shape(RequestError, 409, "model_in_use"),
    "internal": _Shape(EngineError, 500, "internal_error"),
}


def failure(failed: Failed) -> LlamaFarmError:
    """Return the error that a host's `Failed` is to the client."""
    shape = _SHAPES[failed.kind]
    error = shape.error(failed.message, hint=failed.hint, status=shape.status, code=shape.code, param=failed.param)
    if isinstance(error, RateLimited):
        error.retry_after = RETRY_SECONDS
    return error


class ChildEnded(ServiceError):
    """A process of the runtime has died over a request. how: in words."""

    how = "its process is gone"


def host_ended(exit_code: int | None) -> ChildEnded:
    """The host's process is gone while requests were running."""
    how = describe_exit(exit_code)
    error = ChildEnded(
        f"The engine host ended while it was answering ({how}); it is being started again.",
        hint="Ask again in a moment. If it ends each time, the model may not fit into memory.",
        code="engine_host_ended",
    )
    error.how = how
    return error


@dataclass(frozen=True)
class Child:
    """What a child process is called. title: in sentences. code: how codes of errors begin."""

    title: str
    code: str

    def failed(self, cause: str) -> ServiceError:
        """It does not start."""
        return ServiceError(f"The {self.title} does not start: {cause}", code=f"{self.code}_failed")

    def starting(self, seconds: float) -> ServiceError:
        """It has not come in time."""
        return ServiceError(f"The {self.title} is not ready after {seconds:g} s.", code=f"{self.code}_starting")


HOST_CHILD = Child("engine host", "engine_host")
STORE_CHILD = Child("store of models' files", "store")


def store_ended(how: str) -> ServiceError:
    """The store's process has died over a request, as often as it was asked."""
    return ServiceError(
        f"The {STORE_CHILD.title} ended over this request ({how}); it is being started again.",
        hint="Ask again in a moment: what has come of a download is kept. The server's log says more.",
        code=f"{STORE_CHILD.code}_ended",
    )


def installation_removed() -> ServiceError:
    """The files that the runtime is executed from are gone."""
    return ServiceError(
        "The Universal Runtime was removed or moved while it was running, and is about to end.",
        hint="LlamaFarm starts the one that is installed now; one that you have started yourself, start again.",
        code="runtime_removed",
    )


def describe_exit(exit_code: int | None) -> str:
    """Return how a process ended, in words; negative codes are signals, as multiprocessing reports them."""
    if exit_code is None:
        return "its process is gone"
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = str(-exit_code)
    return f"killed by signal {name}"
