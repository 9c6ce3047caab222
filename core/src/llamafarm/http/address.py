"""Addresses of servers: how they are written, and where they lead."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def normalize_base_url(url: str, *, path: str = "/v1") -> str:
    """Return `url` without a final slash, with `path` where its own is empty; any other one is kept as it is.

    Raises ValueError where it is not an http or https URL of a host, or carries what a base cannot (`?`, `#`).
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not an address such as http://127.0.0.1:11540")
    if parts.query or parts.fragment:
        raise ValueError(f"{url!r} must end after its path")
    _ = parts.port  # reading it raises ValueError where it is not a port number
    own = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{own or path}"


def host_and_port(url: str) -> tuple[str, int]:
    """Return where an http or https address leads; the scheme's own port where it names none."""
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine by a loopback address or as `localhost`."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
