"""Pictures and sounds that a request names by URL, fetched where the operator allows it.

A server that fetches what strangers name can be sent to where only it can go. So a name is looked up once, every
address that it has must be public, and the connection goes to the address that was looked at; the same again for each
redirect. No proxy is asked, since it would look the name up itself, and nothing of the environment is sent along.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from llamafarm.http import trusted_certificates
from yarl import URL

from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.media.addresses import is_public
from llamafarm_universal.media.data_url import decode_base64, decode_data_url, is_data_url
from llamafarm_universal.media.folder import BlobWriter, SpoolFolder
from llamafarm_universal.media.formats import Kind, format_of, names_of
from llamafarm_universal.media.settings import ALLOW_URLS, MediaSettings
from llamafarm_universal.media.threads import in_thread
from llamafarm_universal.messages import Blob

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""From a host's name and a port to its addresses. Raises OSError."""
MAX_URL = 8192
"""Characters."""
SCHEME_LENGTH = 16
"""An address has its `://` within so many characters; base64 never has one."""
PIECE_BYTES = 256 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)


async def lookup(host: str, port: int) -> list[str]:
    """The addresses that the system has for a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Fetcher:
    """Fetches files by URL. lookup, admits: how names are looked up, and which addresses may be gone to."""

    def __init__(
        self, settings: MediaSettings, *, lookup: Lookup = lookup, admits: Callable[[str], bool] = is_public
    ) -> None:
        self._settings = settings
        self._resolver = _Resolver(lookup, admits)
        self._certificates: SSLContext | None = None
        self._decoding = asyncio.Semaphore(1)
        """More threads at once would be no faster, and hold up the event loop."""

    async def load(self, source: str, folder: SpoolFolder, kind: Kind, *, param: str | None = None) -> Blob:
        """The picture or sound that a request's JSON holds as base64 or as a data URL, or names by its address.

        Raises RequestFailed, naming `param`, as `fetch` does; what base64 alone holds may be of any kind.
        """
        if is_data_url(source) or "://" in source[:SCHEME_LENGTH]:
            return await self.fetch(source, folder, kind, param=param)
        async with self._decoding:
            return await in_thread(decode_base64, source, folder, self._settings.file_bytes(kind), param=param)

    async def fetch(self, url: str, folder: SpoolFolder, kind: Kind, *, param: str | None = None) -> Blob:
        """The picture or sound at `url`, or in it if it is a data URL, of the type that it has by its content.

        Raises RequestFailed, naming `param`: where URLs are not allowed, or this one is none that is fetched; where it
        is not had in time, or too large; where it is nothing of that kind.
        """
        if is_data_url(url):
            async with self._decoding:
                return await in_thread(decode_data_url, url, folder, self._settings.file_bytes(kind), param=param)
        if not self._settings.allow_urls:
            hint = f"Send the file itself as a data URL, or have the operator of the server set {ALLOW_URLS}=1."
            raise refused("This server fetches no URLs.", param, hint=hint)
        try:
            async with asyncio.timeout(self._settings.url_seconds), await self._session() as session:
                return await _Fetch(session, self._settings, folder, kind).follow(url)
        except RequestFailed as failed:
            failed.param = param
            raise
        except TimeoutError:
            raise refused(f"The URL was not fetched within {self._settings.url_seconds:g} seconds.", param) from None
        except (aiohttp.ClientError, OSError, ValueError):  # their texts tell of addresses and ports
            raise refused("The URL cannot be fetched: there is no answer.", param) from None

    async def _session(self) -> aiohttp.ClientSession:
        if self._certificates is None:
            self._certificates = await in_thread(trusted_certificates)
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            use_dns_cache=False,
            force_close=True,
            socket_factory=self._resolver.socket,
            ssl=self._certificates,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a small body could become a large one
            timeout=aiohttp.ClientTimeout(total=self._settings.url_seconds),
            headers={"user-agent": "llamafarm", "accept-encoding": "identity"},
        )


@dataclass(frozen=True)
class _Fetch:
    """One file on its way."""

    session: aiohttp.ClientSession
    settings: MediaSettings
    folder: SpoolFolder
    kind: Kind

    async def follow(self, url: str) -> Blob:
        if len(url) > MAX_URL:
            raise refused(f"The URL is longer than {MAX_URL:,} characters.")
        target = _checked(url)
        for _ in range(self.settings.redirects + 1):
            async with self.session.get(target, allow_redirects=False) as answer:
                if answer.status not in _REDIRECTS:
                    return await self._read(answer)
                target = _checked(answer.headers.get("location", ""), target)
        raise refused(f"The URL leads on more than {self.settings.redirects} times.")

    async def _read(self, answer: aiohttp.ClientResponse) -> Blob:
        if answer.status != 200:
            raise refused(f"The URL cannot be fetched: it answers {answer.status}.")
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise refused("The URL cannot be fetched: its server compresses what was asked for as it is.")
        limit = self.settings.file_bytes(self.kind)
        if (answer.content_length or 0) > limit:
            raise _too_large(limit)
        with BlobWriter(self.folder) as writer:
            async for piece in answer.content.iter_chunked(PIECE_BYTES):
                if writer.size + len(piece) > limit:
                    raise _too_large(limit)
                await in_thread(writer.write, piece)
            found = format_of(writer.head)
            if found is None or not found.can_be(self.kind):
                raise refused(f"There is no {self.kind} at the URL.", hint=f"{names_of(self.kind)} are read.")
            return await in_thread(writer.finish, found.media_type)


class _Resolver(AbstractResolver):
    """Looks names up, and lets nobody go where it does not admit, by a name or by an address that stands in a URL."""

    def __init__(self, lookup: Lookup, admits: Callable[[str], bool]) -> None:
        self._lookup = lookup
        self._admits = admits

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - both are looked up
    ) -> list[ResolveResult]:
        addresses = await self._lookup(host, port)
        for address in addresses:
            self._check(address)
        return [_resolved(host, port, address) for address in addresses]

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for one connection: the last look at where it goes."""
        family, kind, protocol, _, address = info
        self._check(address[0])
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        pass

    def _check(self, address: str) -> None:
        if not self._admits(address):
            raise refused("The URL leads to an address that is not public, which is not fetched.")


def _resolved(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return {
        "hostname": host,
        "host": address,
        "port": port,
        "family": family,
        "proto": 0,
        "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    }


def _checked(url: str, base: URL | None = None) -> URL:
    """The URL, as the library reads it that will go there: two readers of one URL may read two hosts."""
    try:
        target = URL(url) if base is None else base.join(URL(url))
        host = target.host
    except ValueError:
        host = None
    if not host or target.scheme not in ("http", "https"):
        raise refused("The URL must begin with http:// or https:// and name a host.")
    if target.user is not None or target.password is not None:
        raise refused("The URL must name no user and no password.")
    return target


def _too_large(limit: int) -> RequestFailed:
    return RequestFailed("too_large", f"The file at the URL is larger than {limit:,} bytes.", hint="Use a smaller one.")
