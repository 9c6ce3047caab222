"""Addresses of servers that speak the OpenAI wire."""

from __future__ import annotations

from urllib.parse import urlsplit

from llamafarm.providers.address import normalised


def normalize_base_url(url: str) -> str:
    """Return `url` without a final slash, with `/v1` where its path is empty; any other path is kept as it is.

    Raises ValueError where it is not an http or https address.
    """
    return normalised(url, path="/v1")


def host_and_port(url: str) -> tuple[str, int]:
    """Return where an http or https address leads; the scheme's own port where it names none."""
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
