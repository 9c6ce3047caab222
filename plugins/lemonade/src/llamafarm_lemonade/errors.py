"""What Lemonade's errors mean, beyond what their status says, and what to do next.

Its handlers disagree about the shape: `error` is an object, or a text with `code` beside it; what the backend said
stands in the object with `code` as a number.
"""

from __future__ import annotations

from llamafarm.errors import (
    AuthenticationFailed,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    UpstreamError,
)
from llamafarm.http import Refusal, error_of

OFFLINE = "lemond_offline"
LOAD_FAILED = "model_load_error"
NOT_SUPPORTED = "not_supported_error"


def read_error(refusal: Refusal) -> ProviderError:
    """Return the error that a refusal is, the server's own words kept, with a hint."""
    error = error_of(refusal)
    if _code_beside(refusal) == OFFLINE:
        error = _as(ModelNotFound, error, OFFLINE)
    elif error.code == NOT_SUPPORTED:
        error = _as(InvalidRequest, error, NOT_SUPPORTED)
    error.hint = _hint(error) or error.hint
    return error


def _code_beside(refusal: Refusal) -> object:
    """The code that stands beside an error that is a text."""
    return refusal.body.get("code") if isinstance(refusal.body, dict) else None


def _as(kind: type[ProviderError], error: ProviderError, code: str) -> ProviderError:
    """The same error, as another kind."""
    return kind(error.message, provider=error.provider, status=error.status, code=code, param=error.param)


def _hint(error: ProviderError) -> str | None:
    by_code = {
        OFFLINE: "The server is in offline mode: let it download, or have the model's files there already.",
        NOT_SUPPORTED: "The model is of another kind: give the entry an embedding model for embeddings, or one "
        "labelled `reranking` for rerank.",
        "model_not_supported": "The server does not run this model on this machine; `lemonade list` shows those that "
        "it does.",
        "slots_pinned_error": "All places are taken by pinned models: unload one, or raise `max_loaded_models`.",
    }
    if error.code in by_code:
        return by_code[error.code]
    if isinstance(error, ModelNotFound):
        return (
            "`lemonade list` shows the models that the server knows; `lemonade.checkpoint` of the model entry "
            "says where one with a name of your own comes from."
        )
    if isinstance(error, ContextLengthExceeded):
        return "`lemonade.context_size` of the model entry sets how many tokens fit."
    if isinstance(error, AuthenticationFailed):
        return "Check `api_key` of the model entry, or the variable LEMONADE_API_KEY."
    if isinstance(error, UpstreamError) and error.code == LOAD_FAILED:
        return "Check `lemonade.backend` and `lemonade.context_size` of the model entry; the server's log tells more."
    return None
