"""What errors of OpenAI-compatible servers mean, beyond what their status says."""

from __future__ import annotations

from llamafarm.errors import AuthenticationFailed, ContextLengthExceeded, ProviderError, RateLimited, UpstreamError
from llamafarm.http import NEVER_RETRIED, Refusal, error_of
from llamafarm.wire import CHAT, OPERATIONS

from llamafarm_openai_compat.profile import Profile
from llamafarm_openai_compat.profiles import PROFILES, TOGETHER, profile_at


def read_error(refusal: Refusal) -> ProviderError:
    """Return the error of a refusal, with the hint that this kind of server calls for."""
    error = error_of(refusal)
    at = profile_at(refusal.url)
    if at is TOGETHER and refusal.status == 403 and "token" in error.message.lower():
        error = ContextLengthExceeded(error.message, provider=error.provider, status=403, param=error.param)
    error.hint = _hint(error, refusal, at) or error.hint
    return error


def missing_key(provider: str, base_url: str, variable: str) -> AuthenticationFailed:
    """The error of a request without a key to a service that wants one: it is not sent."""
    return AuthenticationFailed(
        f"There is no key for {base_url}.",
        provider=provider,
        hint=f"Set the variable {variable}, or `api_key: ${{{variable}}}` in the model entry; "
        "for a server of your own set `base_url`.",
    )


def _hint(error: ProviderError, refusal: Refusal, at: Profile | None) -> str | None:
    """What to do: by the server that is known by its address, else by words that only one server says."""
    if isinstance(error, AuthenticationFailed) and at is not None and at.key is not None:
        return f"Check `api_key` of the model entry, or the variable {at.key}."
    if isinstance(error, RateLimited) and error.code in NEVER_RETRIED:
        return "The account has no quota left; waiting does not help."
    for profile in PROFILES:
        for hint in profile.hints:
            if (hint.words or profile is at) and hint.fits(refusal.status, error.message):
                return hint.says
    if isinstance(error, UpstreamError) and refusal.status in (404, 405):
        return _missing_route(refusal.url)
    return None


def _missing_route(url: str) -> str | None:
    """What to do where nothing answers: every server can chat, but few can do everything."""
    found = next((row for row in OPERATIONS if row is not CHAT and url.endswith(row.path)), None)
    if found is None or url.endswith(CHAT.path):
        return None
    return f"Nothing answers at {url}: either this server cannot do {found.name}, or `base_url` is wrong."
