"""Addresses of servers: how they are written, and where they lead."""

from __future__ import annotations

from urllib.parse import urlsplit

from llamafarm.providers.address import normalised


def normalize_base_url(url: str, *, path: str = "/v1") -> str:
    """Return `url` without a final slash, with `path` where its own is empty; any other one is kept as it is.

    Raises ValueError where it is not an http or https address.
    """
    return normalised(url, path=path)


def host_and_port(url: str) -> tuple[str, int]:
    """Return where an http or https address leads; the scheme's own port where it names none."""
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
