"""URLs are fetched where that is allowed, from where everybody can go, and no further than the limits."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import samples
import trustme
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.addresses import is_public
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.media.urls import Fetcher

pytestmark = pytest.mark.anyio

PNG = samples.picture()
ALLOWED = MediaSettings(allow_urls=True, picture_bytes=2**20, url_seconds=10.0)


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers])
    return head.encode() + b"\r\n\r\n" + body


def redirect(to: str) -> bytes:
    return answer(b"", f"location: {to}", status="302 Found")


@dataclass
class Site:
    """A server that plays answers by path, and notes what it was asked."""

    pages: dict[str, bytes]
    port: int = 0
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split()[1]
            self.asked.append(path)
            self.heads.append(head.lower())
            writer.write(self.pages[path].replace(b"PORT", str(self.port).encode()))
            await writer.drain()
            if path == "/slow":
                await reader.read()
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def site(pages: dict[str, bytes]) -> AsyncIterator[Site]:
    played = Site(pages)
    async with await asyncio.start_server(played.serve, "127.0.0.1", 0) as server:
        played.port = server.sockets[0].getsockname()[1]
        yield played


def names(**hosts: list[str]) -> Callable:
    """A lookup of names that are known here alone."""

    async def lookup(host: str, port: int) -> list[str]:
        if host not in hosts:
            raise OSError("no such name")
        return hosts[host]

    return lookup


def fetcher(settings: MediaSettings = ALLOWED, **hosts: list[str]) -> Fetcher:
    """Takes 127.0.0.1 for public, so that a test can serve; everything else of this machine is as private as ever."""
    known = names(**({"site": ["127.0.0.1"]} | hosts))
    return Fetcher(settings, lookup=known, admits=lambda address: address == "127.0.0.1" or is_public(address))


async def refusal(fetching) -> RequestFailed:
    with pytest.raises(RequestFailed) as failed:
        await fetching
    assert failed.value.param == "image_url"
    return failed.value


async def test_a_picture_is_fetched_with_the_type_that_it_has(folder):
    async with site({"/cat.txt": answer(PNG, "content-type: text/plain")}) as web:
        found = await fetcher().fetch(f"http://site:{web.port}/cat.txt", folder, "picture")
    assert (found.data, found.media_type) == (PNG, "image/png")
    assert f"host: site:{web.port}" in web.heads[0]


async def test_a_sound_that_is_large_becomes_a_file(folder):
    content = samples.wav(15.0)
    async with site({"/": answer(content)}) as web:
        found = await fetcher().fetch(f"http://site:{web.port}/", folder, "sound")
    assert found.path.read_bytes() == content


async def test_a_film_is_fetched_and_a_sound_in_its_place_is_refused(folder):
    content = samples.film()
    async with site({"/walk": answer(content), "/talk": answer(samples.wav(0.1))}) as web:
        found = await fetcher().fetch(f"http://site:{web.port}/walk", folder, "film")
        failed = await refusal(fetcher().fetch(f"http://site:{web.port}/talk", folder, "film", param="image_url"))
    assert found.size == len(content)
    assert (failed.message, failed.hint) == ("There is no film at the URL.", "MP4 and WebM are read.")


async def test_nothing_is_fetched_unless_it_is_allowed(folder):
    failed = await refusal(fetcher(MediaSettings()).fetch("http://site/", folder, "picture", param="image_url"))
    assert failed.message == "This server fetches no URLs."
    assert "UNIVERSAL_RUNTIME_ALLOW_URLS=1" in failed.hint


async def test_what_a_request_holds_is_base64_a_data_url_or_an_address(folder):
    coded = base64.b64encode(PNG).decode()
    async with site({"/a": answer(PNG)}) as played:
        local = fetcher()
        for source in (coded, f"data:;base64,{coded}", f"http://127.0.0.1:{played.port}/a"):
            loaded = await local.load(source, folder, "picture")
            assert (loaded.read(), loaded.media_type) == (PNG, "image/png")
        for source in ("A" * 1_400_000, "file:///etc/passwd", "no base64!"):
            await refusal(local.load(source, folder, "picture", param="image_url"))


async def test_a_data_url_needs_no_permission_and_has_the_same_limit(folder):
    closed = Fetcher(MediaSettings(picture_bytes=100))
    url = f"data:image/gif;base64,{base64.b64encode(PNG).decode()}"
    found = await closed.fetch(url, folder, "picture")
    assert (found.data, found.media_type) == (PNG, "image/png")
    failed = await refusal(closed.fetch("data:;base64," + "A" * 136, folder, "picture", param="image_url"))
    assert failed.kind == "too_large"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "site/cat.png",
        "//site/cat.png",
        "file:///etc/passwd",
        "ftp://site/cat.png",
        "gopher://site/",
        "http:///cat.png",
        "http://[::1/",
        "http://site:port/",
        "http://user:password@site/",
        "http://user@site/",
        "http://" + "x" * 9000,
    ],
)
async def test_only_plain_http_urls_are_fetched(folder, url):
    failed = await refusal(fetcher().fetch(url, folder, "picture", param="image_url"))
    assert "The URL must" in failed.message or "longer than" in failed.message


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:PORT/",
        "http://127.0.0.1.:PORT/",
        "http://127.1:PORT/",
        "http://2130706433:PORT/",
        "http://0x7f000001:PORT/",
        "http://0177.0.0.1:PORT/",
        "http://0:PORT/",
        "http://[::1]:PORT/",
        "http://[::ffff:127.0.0.1]:PORT/",
        "http://localhost:PORT/",
        "http://site\\@localhost:PORT/",
        "http://１２７.0.0.1:PORT/",
        "https://127.0.0.1:PORT/",
    ],
)
async def test_this_machine_is_not_reached_by_any_way_of_writing_it(folder, url):
    """With the system's own look-up of names."""
    async with site({"/": answer(PNG)}) as web:
        fetching = Fetcher(ALLOWED).fetch(url.replace("PORT", str(web.port)), folder, "picture", param="image_url")
        failed = await refusal(fetching)
    assert web.asked == []
    assert "127.0.0.1" not in failed.message


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::1"], ["169.254.169.254"], ["::ffff:10.0.0.1"]]
)
async def test_a_name_with_an_address_that_is_not_public_is_refused(folder, addresses):
    failed = await refusal(fetcher(inside=addresses).fetch("http://inside/", folder, "picture", param="image_url"))
    assert failed.message == "The URL leads to an address that is not public, which is not fetched."


async def test_a_name_is_looked_up_once_and_that_address_is_the_one_gone_to(folder):
    asked = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async with site({"/": answer(PNG)}) as web:
        once = Fetcher(ALLOWED, lookup=rebinding, admits=lambda address: address == "127.0.0.1")
        assert (await once.fetch(f"http://site:{web.port}/", folder, "picture")).data == PNG
    assert asked == ["site"]


async def test_redirects_are_followed(folder):
    pages = {"/a": redirect("/b"), "/b": redirect("http://other:PORT/c"), "/c": answer(PNG)}
    async with site(pages) as web:
        fetching = fetcher(other=["127.0.0.1"]).fetch(f"http://site:{web.port}/a", folder, "picture")
        assert (await fetching).data == PNG
    assert web.asked == ["/a", "/b", "/c"]


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("http://inside/", "not public"),
        ("http://10.0.0.1/", "not public"),
        ("http://[::1]:PORT/", "not public"),
        ("http://169.254.169.254/latest/meta-data/", "not public"),
        ("file:///etc/passwd", "must begin with http"),
        ("http://user:pw@site/", "no user"),
        ("http://[", "must begin with http"),
    ],
)
async def test_redirects_are_held_to_the_same_rules(folder, to, reason):
    async with site({"/": redirect(to)}) as web:
        fetching = fetcher(inside=["10.0.0.1"]).fetch(f"http://site:{web.port}/", folder, "picture", param="image_url")
        assert reason in (await refusal(fetching)).message
    assert web.asked == ["/"]


async def test_a_circle_of_redirects_ends(folder):
    async with site({"/": redirect("/")}) as web:
        fetching = fetcher().fetch(f"http://site:{web.port}/", folder, "picture", param="image_url")
        assert (await refusal(fetching)).message == "The URL leads on more than 3 times."
    assert len(web.asked) == 4


LARGE = PNG + bytes(2**20)


@pytest.mark.parametrize(
    "page", [answer(LARGE), b"HTTP/1.1 200 OK\r\n\r\n" + LARGE, answer(b"", "content-length: 99999999")]
)
async def test_a_file_that_is_too_large_is_refused_whether_it_says_so_or_not(folder, page):
    async with site({"/": page}) as web:
        failed = await refusal(fetcher().fetch(f"http://site:{web.port}/", folder, "picture", param="image_url"))
    assert failed.kind in ("too_large", "invalid_request")


async def test_a_server_that_stops_sending_is_not_waited_for(folder):
    async with site({"/slow": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + PNG[:20]}) as web:
        hasty = fetcher(MediaSettings(allow_urls=True, url_seconds=0.3))
        failed = await refusal(hasty.fetch(f"http://site:{web.port}/slow", folder, "picture", param="image_url"))
    assert failed.message == "The URL was not fetched within 0.3 seconds."


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (answer(b"gone", status="404 Not Found"), "it answers 404"),
        (answer(samples.wav(0.1)), "There is no picture at the URL."),
        (answer(b"<html>"), "There is no picture at the URL."),
        (answer(b""), "There is no picture at the URL."),
        (answer(PNG, "content-encoding: gzip"), "compresses"),
        (answer(PNG)[:-5], "there is no answer"),
        (b"", "there is no answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "there is no answer"),
    ],
)
async def test_what_is_no_whole_picture_is_refused(folder, page, reason):
    async with site({"/": page}) as web:
        fetching = fetcher().fetch(f"http://site:{web.port}/", folder, "picture", param="image_url")
        assert reason in (await refusal(fetching)).message


async def test_names_and_servers_that_are_not_there_say_nothing_of_addresses(folder):
    async with site({}) as web:
        port = web.port
    for url in ("http://nowhere/", f"http://site:{port}/"):
        failed = await refusal(fetcher().fetch(url, folder, "picture", param="image_url"))
        assert failed.message == "The URL cannot be fetched: there is no answer."


@pytest.fixture
def authority(tmp_path):
    """An authority, and the file that names it as one to trust."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "authority.pem")
    return made, str(tmp_path / "authority.pem")


@pytest.mark.parametrize(("trusts", "name"), [(True, "site"), (False, "site"), (True, "other")])
async def test_certificates_are_checked_as_those_of_runtimes_are(folder, monkeypatch, authority, trusts, name):
    made, trusted = authority
    if trusts:
        monkeypatch.setenv("SSL_CERT_FILE", trusted)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.issue_cert(name).configure_cert(context)
    played = Site({"/": answer(PNG)})
    async with await asyncio.start_server(played.serve, "127.0.0.1", 0, ssl=context) as server:
        url = f"https://site:{server.sockets[0].getsockname()[1]}/"
        fetching = fetcher().fetch(url, folder, "picture", param="image_url")
        if trusts and name == "site":
            assert (await fetching).data == PNG
            return
        failed = await refusal(fetching)
    assert failed.message == "The URL cannot be fetched: there is no answer."
    assert played.asked == []


async def test_the_environment_is_not_sent_along(folder, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    async with site({"/": answer(PNG, "set-cookie: a=b")}) as web:
        for _ in range(2):
            await fetcher().fetch(f"http://site:{web.port}/", folder, "picture")
    assert len(web.asked) == 2
    assert not any("cookie" in head or "authorization" in head for head in web.heads)
