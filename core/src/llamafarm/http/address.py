"""Addresses of servers: how they are written, and where they lead."""

from __future__ import annotations

import base64
import ipaddress
import re
from urllib.parse import unquote, urlsplit


def normalize_base_url(url: str, *, path: str = "/v1") -> str:
    """Return `url` without a final slash, with `path` where its own is empty; any other one is kept as it is.

    Raises ValueError where it is not an http or https URL of a host, or carries what a base cannot (`?`, `#`).
    """
    parts = urlsplit(url.strip())
    try:
        usable = parts.scheme in ("http", "https") and host_and_port(url.strip())[0]
    except ValueError:  # the port is no number
        usable = False
    if not usable:
        raise ValueError(f"{_without_secrets(url)!r} is not an address such as http://127.0.0.1:11540")
    if parts.query or parts.fragment:
        raise ValueError(f"{_without_secrets(url)!r} must end after its path")
    own = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{own or path}"


def host_and_port(url: str) -> tuple[str, int]:
    """Return where an http or https address leads; the scheme's own port where it names none."""
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine by a loopback address or as `localhost`."""
    return is_loopback_host(urlsplit(url).hostname or "")


def is_loopback_host(host: str) -> bool:
    """Whether a name or address is this machine's own for sure, so that no other machine can reach it."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def credentials_of(url: str) -> str | None:
    """Return the user and the password of `url` as a header `Authorization` holds them (RFC 7617), if it has any."""
    parts = urlsplit(url)
    if parts.username is None and parts.password is None:
        return None
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _without_secrets(url: str) -> str:
    """What cannot be read as an address, without what may be a password in it: one may hold any character."""
    return re.sub(r"(?<=://).*@", "", url)
