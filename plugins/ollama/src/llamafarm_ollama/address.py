"""Where an Ollama server is: the forms of `base_url` and of OLLAMA_HOST.

Source: Ollama's `envconfig.Host` (0.33) for OLLAMA_HOST; a port that is none falls back silently there and is an error
here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from llamafarm.errors import ConfigError
from llamafarm.http import normalize_base_url

HOST = "127.0.0.1"
PORT = 11434
VARIABLE = "OLLAMA_HOST"
_PORTS = {"http": 80, "https": 443}
_EVERYWHERE = {"0.0.0.0": HOST, "::": "::1"}  # noqa: S104 - a server that listens on all addresses is reached at these
_WIRES = ("/v1", "/api")


def normal(url: str) -> str:
    """Return `url` as the base of Ollama's paths: without a final slash, `/v1` or `/api`. Raises ValueError."""
    found = normalize_base_url(url, path="")
    for wire in _WIRES:
        found = found.removesuffix(wire)
    return found


def of_environment(environ: Mapping[str, str]) -> str:
    """The address that OLLAMA_HOST names, by default http://127.0.0.1:11434. Raises ConfigError.

    It may be a host, `host:port`, `:port`, a URL with or without a path, and an IPv6 address with or without brackets.
    A URL without a port means the port of its scheme, anything else 11434; an address to listen on everywhere means
    this machine.
    """
    said = environ.get(VARIABLE, "").strip().strip("\"'")
    scheme, mark, rest = said.rpartition("://")
    if mark and scheme not in _PORTS:
        raise _wrong(said, "it must be a host, `host:port`, or a URL of http or https")
    if said == "ollama.com":
        scheme = "https"
    place, _, path = rest.partition("/")
    host, port = _parts(place, said)
    default = _PORTS[scheme] if scheme else PORT
    address = f"{scheme or 'http'}://{_bracketed(host)}:{port or default}"
    try:
        return normal(f"{address}/{path}")
    except ValueError as error:
        raise _wrong(said, str(error)) from None


def place(url: str) -> tuple[str, int]:
    """Host and port of an address; `localhost` is 127.0.0.1, where `ollama serve` listens."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return HOST if host == "localhost" else host, parts.port or _PORTS[parts.scheme]


def _parts(place: str, said: str) -> tuple[str, int | None]:
    """Host and port of `host`, `host:port`, `:port`, `::1`, `[::1]` or `[::1]:port`; the port None where none is."""
    host, port = place, ""
    if not _is_ip(place.strip("[]")):
        host, _, port = place.rpartition(":") if ":" in place else (place, "", "")
    host = host.strip("[]")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise _wrong(said, f"{port!r} is not a port from 1 to 65535")
    return _EVERYWHERE.get(host, host) or HOST, int(port) if port else None


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _wrong(said: str, why: str) -> ConfigError:
    return ConfigError(f"{VARIABLE} is {said!r}, which names no address: {why}.", hint="Example: 127.0.0.1:11434")
