"""Addresses of runtimes: how a `base_url` is read."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def normalised(base_url: str, *, path: str = "") -> str:
    """Return `base_url` without a final slash, and with `path` where it has none of its own.

    Raises ValueError where it is not an http or https URL of a host, or carries what a base cannot (`?`, `#`).
    """
    parts = urlsplit(base_url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{base_url!r} is not an address such as http://127.0.0.1:11540")
    if parts.query or parts.fragment:
        raise ValueError(f"{base_url!r} must end after its path")
    _ = parts.port  # reading it raises ValueError where it is not a port number
    own = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{own or path}"


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine by a loopback address or as `localhost`."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
