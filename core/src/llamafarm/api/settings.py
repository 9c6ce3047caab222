"""What the API is told when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamafarm.errors import UsageError
from llamafarm.farm.farm import Farm
from llamafarm.http.address import is_loopback_host
from llamafarm.web.listener import require_key
from llamafarm.web.stream import KEEP_ALIVE_SECONDS

if TYPE_CHECKING:
    from llamafarm.api.registry import Projects
    from llamafarm.gateway import Gateway
    from llamafarm.plugins.manager import PluginManager

API_KEY = "LF_API_KEY"
ALLOWED_HOSTS = "LF_ALLOWED_HOSTS"
ALLOWED_ORIGINS = "LF_ALLOWED_ORIGINS"
MAX_BODY_BYTES = "LF_MAX_BODY_BYTES"
PUBLIC_URL = "LF_PUBLIC_URL"
DEFAULT_MAX_BODY_BYTES = 32 * 1024 * 1024
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True)
class Limits:
    """Who may ask, and how much.

    api_key: None where none is needed. hosts: the names that a Host header may hold, None for any; origins: the web
    pages that may ask from a browser, beside those that this server sends itself; `*` for any. keep_alive: seconds of
    silence in a stream before a comment is sent. public_url: the address by which clients reach the server, where it
    is not the one that their requests name, as behind a proxy that ends TLS.
    """

    api_key: str | None = None
    hosts: frozenset[str] | None = LOOPBACK_HOSTS
    origins: frozenset[str] = frozenset()
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    keep_alive: float = KEEP_ALIVE_SECONDS
    public_url: str | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str], *, host: str = "127.0.0.1") -> Limits:
        """The limits that the environment sets, for a server that listens on `host`.

        On a loopback address foreign Host headers are refused always: a web page whose name has been made to point at
        this machine (DNS rebinding) sends its own. Elsewhere the key protects, and the names are checked where
        LF_ALLOWED_HOSTS lists them. Raises UsageError for a value that is not what it should be, and for an address
        that other machines can reach where there is no key.
        """
        key = _key(environ)
        require_key(host, key, variable=API_KEY)
        own = LOOPBACK_HOSTS | {f"[{host.strip('[]')}]" if ":" in host else host}
        return cls(
            api_key=key,
            hosts=(own if is_loopback_host(host) else frozenset()) | _words(environ.get(ALLOWED_HOSTS, "")) or None,
            origins=frozenset(origin.rstrip("/") for origin in _words(environ.get(ALLOWED_ORIGINS, ""))),
            max_body_bytes=_size(environ.get(MAX_BODY_BYTES)),
            public_url=_address(environ.get(PUBLIC_URL)),
        )


@dataclass(frozen=True)
class Settings:
    """The parts that the routes work with."""

    gateway: Gateway
    projects: Projects
    plugins: PluginManager
    limits: Limits

    async def farm(self, path: Mapping[str, str]) -> Farm:
        """The project that the path of a request names, open for use. Raises LlamaFarmError."""
        return Farm(self.gateway, await self.projects.of(path))


def _key(environ: Mapping[str, str]) -> str | None:
    """The key, without the line end that files of secrets have. Raises UsageError for one of blanks alone."""
    text = environ.get(API_KEY, "")
    if text and not text.strip():
        raise UsageError(
            f"{API_KEY} holds nothing but blanks.", hint="Set it to a secret, or leave it out.", status=400
        )
    return text.strip() or None


def _words(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in text.replace(",", " ").split())


def _address(text: str | None) -> str | None:
    """The server's own address, without /v1."""
    if not text:
        return None
    if not text.startswith(("http://", "https://")):
        raise UsageError(f"{PUBLIC_URL} is {text!r}, which is no address.", hint="Such as https://models.example.com")
    return text.rstrip("/").removesuffix("/v1")


def _size(text: str | None) -> int:
    if not text:
        return DEFAULT_MAX_BODY_BYTES
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{MAX_BODY_BYTES} is {text!r}, which is not a number of bytes.", hint="33554432 is 32 MiB.")
    return int(text)
