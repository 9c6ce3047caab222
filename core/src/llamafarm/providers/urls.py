"""Addresses of runtimes, as users write them."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit, urlunsplit


def normalize_base_url(url: str) -> str:
    """Return `url` without a final slash, with `/v1` where its path is empty.

    A path is kept as it is, since servers differ (`/api/v1`, `/openai/v1`). Raises ValueError where it is not an http
    or https address with a host, or carries a query, a fragment or white space; the message never repeats a password.
    """
    parts = _split(url)
    path = parts.path.rstrip("/") or "/v1"
    return urlunsplit((parts.scheme.lower(), parts.netloc, path, "", ""))


def address(url: str) -> tuple[str, int]:
    """Return host and port of an http or https address, the scheme's own port where it names none."""
    parts = _split(url)
    assert parts.hostname is not None
    return parts.hostname, parts.port or (443 if parts.scheme.lower() == "https" else 80)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"not an address: {error}") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise ValueError("an address begins with http:// or https://, for instance http://127.0.0.1:8000/v1")
    if not parts.hostname or any(character.isspace() for character in url) or port == 0:
        raise ValueError("an address needs a host, and a port other than 0 where it names one; no white space")
    if parts.query or parts.fragment:
        raise ValueError("an address must not have a query (?) or a fragment (#)")
    return parts
