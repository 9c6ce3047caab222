"""What the engine host raises when a request cannot be served: the cause of a `Failed` event."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from llamafarm_universal.messages import Failed, FailureKind

log = logging.getLogger(__name__)

_ROOT = r"(?:[A-Za-z]:)?[/\\]"
_PATH = re.compile(
    # in quotes it may have spaces; else it begins where no word, address or relative path goes on
    rf"""(?<=['"`]){_ROOT}(?:[^'"`\n]*[/\\])?(?P<quoted>[^'"`/\\\n]*)(?=['"`])"""
    rf"""|(?<![\w./:~-]){_ROOT}(?:[^\s'"`/\\]+[/\\])+(?P<bare>[^\s'"`/\\]*)"""
)


class RequestFailed(Exception):
    """One request, or one load, cannot be served.

    kind: decides the HTTP status. hint: what to do next. param: the field of the request that is wrong. ends_host:
    whatever is asked next of the process would fail, too.
    """

    ends_host = False

    def __init__(self, kind: FailureKind, message: str, *, hint: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hint = hint
        self.param = param

    def event(self, request_id: str) -> Failed:
        return Failed(request_id, self.kind, self.message, self.hint, self.param, self.ends_host)


@contextmanager
def about(param: str) -> Iterator[None]:
    """What fails within is the fault of that field of the request or setting of the model."""
    try:
        yield
    except RequestFailed as failure:
        failure.param = param
        raise


def refused(message: str, param: str | None = None, *, hint: str | None = None) -> RequestFailed:
    """A request that is wrong in itself."""
    return RequestFailed("invalid_request", message, hint=hint, param=param)


def explained(error: BaseException, doing: str) -> RequestFailed:
    """Turn any exception into a failure. doing: what was under way, such as "generating a token"."""
    if isinstance(error, RequestFailed):
        return error
    if is_out_of_memory(error):
        return RequestFailed(
            "out_of_memory",
            f"Memory ran out while {doing}.",
            hint="Use a shorter prompt, fewer requests at once, a smaller model, or dtype fp16 or bf16.",
        )
    log.error("Unexpected error while %s", doing, exc_info=error)
    failure = RequestFailed("internal", f"Unexpected {type(error).__name__} while {doing}: {without_paths(str(error))}")
    failure.ends_host = is_beyond_repair(error)
    return failure


def without_paths(text: str) -> str:
    """What a library says, for clients: of paths of this machine the last part alone. The log has them whole."""
    return _PATH.sub(lambda path: path["quoted"] or path["bare"] or "", text)


def is_beyond_repair(error: BaseException) -> bool:
    """Whether an error stays with the process: after one of CUDA every further call fails, other than out of memory."""
    names = {kind.__name__ for kind in type(error).__mro__}
    sticky = "AcceleratorError" in names or "CUDA error" in str(error)
    return sticky and not is_out_of_memory(error)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of Python, or of torch for any device, says that memory ran out."""
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or ("DefaultCPUAllocator" in text and "allocate" in text)
        or "MPS backend out of memory" in text
    )
