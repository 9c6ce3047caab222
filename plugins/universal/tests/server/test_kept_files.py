"""Files that are asked for by their address are kept for a while, within bounds, and leave nothing behind."""

from __future__ import annotations

import asyncio
import time

import pytest
from llamafarm.errors import RequestError
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.media.spool import Spool
from llamafarm_universal.messages import Blob
from llamafarm_universal.server.kept_files import KeptFiles, checked_url
from runtime_servers import BOUND

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def spool(tmp_path):
    made = Spool.open(tmp_path / "spool", MediaSettings())
    yield made
    made.close()
    assert not list((tmp_path / "spool").glob("spool-*"))


def blob(content: bytes, media_type: str = "image/png") -> Blob:
    return Blob(media_type, len(content), content)


def kept_in(spool: Spool) -> list:
    return list(spool.path.glob("kept_*/*"))


async def until(condition) -> None:
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def gone(files: KeptFiles, name: str) -> bool:
    try:
        files.find(name)
    except RequestError as error:
        assert (error.status, error.code) == (404, "file_expired")
        return True
    return False


async def test_a_file_is_found_by_its_name_which_nobody_guesses(spool):
    files = KeptFiles(spool, seconds=60, most=1000)
    names = await files.keep([blob(b"one"), blob(b"two", "image/webp")])
    assert [files.find(name).read() for name in names] == [b"one", b"two"]
    assert [name.rpartition(".")[2] for name in names] == ["png", "webp"]
    assert all(len(name) > 32 for name in names)  # of 64 characters: 192 bits
    assert gone(files, names[0][::-1])


async def test_a_file_of_the_request_is_moved_and_stays_when_the_request_ends(spool):
    files = KeptFiles(spool, seconds=60, most=2**20)
    folder = spool.create("req_1")
    large = folder.keep(bytes(300 * 1024), "image/png")
    [name] = await files.keep([large])
    spool.remove("req_1")
    assert files.find(name).read() == bytes(300 * 1024)


async def test_after_its_time_it_is_gone_from_the_disk_too(spool):
    files = KeptFiles(spool, seconds=0.01, most=1000)
    [name] = await files.keep([blob(b"one")])
    await until(lambda: gone(files, name))
    await until(lambda: not list(spool.path.iterdir()))
    assert not len(files)


async def test_the_oldest_make_room(spool):
    files = KeptFiles(spool, seconds=60, most=10)
    [first] = await files.keep([blob(b"123456")])
    second = await files.keep([blob(b"12"), blob(b"34")])
    assert not gone(files, first)
    [third] = await files.keep([blob(b"123456")])
    assert gone(files, first)
    assert not any(gone(files, name) for name in [*second, third])
    await until(lambda: len(kept_in(spool)) == 3)


async def test_more_than_is_kept_in_all_is_refused_and_pushes_nothing_out(spool):
    files = KeptFiles(spool, seconds=60, most=10)
    [name] = await files.keep([blob(b"1")])
    with pytest.raises(RequestError, match="have 11 bytes; 10 are kept here") as refusal:
        await files.keep([blob(b"12345"), blob(b"123456")])
    assert refusal.value.status == 507
    assert "UNIVERSAL_RUNTIME_FILES_MB" in (refusal.value.hint or "")
    assert not gone(files, name)


async def test_a_spool_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    files = KeptFiles(Spool(tmp_path / "file" / "spool-1-1", MediaSettings()), seconds=60, most=10)
    with pytest.raises(Exception, match="The server cannot keep files") as refusal:
        await files.keep([blob(b"1")])
    assert refusal.value.status == 507
    assert not len(files)


@pytest.mark.parametrize("url", ["", "ftp://a/b", "http://", "https://a b", "http://a\n", "http://a?b", "javascript:x"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(RequestError, match="holds no address of HTTP"):
        checked_url(url, "Host")
