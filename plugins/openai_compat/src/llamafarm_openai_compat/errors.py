"""What errors of OpenAI-compatible servers mean, beyond what their status says."""

from __future__ import annotations

from llamafarm.errors import AuthenticationFailed, ProviderError, RateLimited
from llamafarm.providers.refusal import NEVER_RETRIED, Refusal, error_of

from llamafarm_openai_compat.config import OPENAI


def read_error(refusal: Refusal) -> ProviderError:
    """Return the error of a refusal, with the hint that this kind of server calls for."""
    error = error_of(refusal)
    if isinstance(error, AuthenticationFailed) and refusal.url.startswith(OPENAI):
        error.hint = "Check `api_key` of the model entry, or the variable OPENAI_API_KEY."
    if isinstance(error, RateLimited) and error.code in NEVER_RETRIED:
        error.hint = "The account has no quota left; waiting does not help."
    return error


def missing_key(provider: str) -> AuthenticationFailed:
    """The error of a request to OpenAI without a key: it is not sent."""
    return AuthenticationFailed(
        f"There is no key for {OPENAI}.",
        provider=provider,
        hint="Set the variable OPENAI_API_KEY, or `api_key: ${OPENAI_API_KEY}` in the model entry; "
        "for a server of your own set `base_url`.",
    )
