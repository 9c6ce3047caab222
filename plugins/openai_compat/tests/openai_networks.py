"""Networks for tests: a real proxy, servers with certificates, and names that only the proxy or this process knows."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
import trustme
from cryptography import x509
from llamafarm_kit.testing.upstream import Script, ScriptedUpstream

NAME = "models.test"
"""A host that is not this machine, as far as anybody can tell by its name (RFC 6761 keeps `.test` for that)."""

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget whatever the user's own environment says of proxies and certificates."""
    for name in (*VARIABLES, *map(str.upper, VARIABLES), *BUNDLES):
        monkeypatch.delenv(name, raising=False)


def resolve(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let these names mean the loopback address, as a line in the hosts file does."""
    ask = socket.getaddrinfo

    def answer(host: Any, *arguments: Any, **options: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        return ask("127.0.0.1" if text in names else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@dataclass(frozen=True)
class Authority:
    """A certificate authority that nobody knows yet."""

    ca: trustme.CA
    folder: Path

    @classmethod
    def made(cls, folder: Path) -> Self:
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        return cls(ca, folder)

    @property
    def file(self) -> Path:
        return self.folder / "ca.pem"

    def hashed(self) -> Path:
        """A folder of certificates as `openssl rehash` makes it: each under the hash of its subject."""
        folder = self.folder / "hashed"
        folder.mkdir(exist_ok=True)
        content = self.file.read_bytes()
        (folder / f"{_name_of(content)}.0").write_bytes(content)
        return folder

    def context(self, *names: str, until: datetime | None = None) -> ssl.SSLContext:
        """What a server needs that is called so. until: when its certificate ends to be valid."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names, not_after=until).configure_cert(context)
        return context


def _name_of(certificate: bytes) -> str:
    """OpenSSL's name for a certificate in a folder (X509_NAME_hash): of its subject in lower case, without spaces."""
    subject = x509.load_pem_x509_certificate(certificate).subject
    plain = x509.Name([x509.NameAttribute(one.oid, " ".join(str(one.value).lower().split())) for one in subject])
    parts = plain.public_bytes()[2:]  # without the header of the sequence
    return f"{int.from_bytes(hashlib.sha1(parts).digest()[:4], 'little'):08x}"


class TlsUpstream(ScriptedUpstream):
    """A scripted server that speaks TLS. names: whom its certificate is for. until: when that ends to be valid."""

    def __init__(
        self,
        authority: Authority,
        *scripts: Script,
        names: tuple[str, ...] = (NAME,),
        until: datetime | None = None,
    ) -> None:
        super().__init__(*scripts)
        self._context = authority.context(*names, until=until)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self


class Plain:
    """A server that answers whatever comes, a greeting of TLS too, with a refusal in plain HTTP."""

    async def __aenter__(self) -> Self:
        self.connections = 0
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()


class Proxy:
    """An HTTP proxy. It alone knows where `host:port` leads to, and notes what it is asked.

    credentials: `user:password` that it wants. tls: what it speaks TLS with itself. refuses: the status of its answer
    to everything.
    """

    def __init__(
        self,
        leads: Mapping[str, int],
        *,
        credentials: str | None = None,
        tls: ssl.SSLContext | None = None,
        refuses: int | None = None,
    ) -> None:
        self._leads = leads
        self._wanted = f"Basic {base64.b64encode(credentials.encode()).decode()}" if credentials else None
        self._tls = tls
        self._refuses = refuses
        self._tasks: set[asyncio.Task[Any]] = set()
        self.asked: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._pass_on(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # one side has gone, or the test is over
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        self.asked.append(first)
        method, target, version = first.split(" ")
        refusal = self._refusal({name.lower(): value for name, _, value in (line.partition(": ") for line in lines)})
        if refusal:
            writer.write(refusal)
            await writer.drain()
            return
        parts = urlsplit(target if "://" in target else f"//{target}")
        far, away = await asyncio.open_connection("127.0.0.1", self._leads[f"{parts.hostname}:{parts.port or 80}"])
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                kept = [line for line in lines if not line.lower().startswith("proxy-")]
                away.write("\r\n".join([f"{method} {parts.path} {version}", *kept, "", ""]).encode("latin-1"))
            await join(reader, writer, far, away)
        finally:
            away.close()

    def _refusal(self, headers: Mapping[str, str]) -> bytes | None:
        page = b"<html>The proxy says no.</html>"
        status = self._refuses
        if self._wanted and headers.get("proxy-authorization") != self._wanted:
            status = 407
        if status is None:
            return None
        return b"HTTP/1.1 %d No\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%s" % (status, len(page), page)


async def join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: asyncio.StreamReader, away: asyncio.StreamWriter
) -> None:
    """Carry bytes both ways until one side ends."""
    ways = {asyncio.create_task(_carry(reader, away)), asyncio.create_task(_carry(far, writer))}
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(65536):
        target.write(piece)
        await target.drain()
