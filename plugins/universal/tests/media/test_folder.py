"""What a request writes is bounded, whoever writes it, and small things are not written at all."""

from __future__ import annotations

import errno
import pickle

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.decoder import decoder_of
from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.media.spool import Spool
from llamafarm_universal.messages import Embed, ModelRef, Run
from llamafarm_universal.messages.blob import MAX_INLINE_BYTES
from llamafarm_universal.messages.plan import Limits

MB = 2**20


@pytest.fixture
def small(tmp_path):
    """A spool of 8 MB, of which a request may have 4."""
    spool = Spool.open(tmp_path / "spools", MediaSettings(request_bytes=4 * MB, spool_bytes=8 * MB))
    yield spool
    spool.close()


def test_few_bytes_travel_inline_and_many_as_a_file(folder):
    few = folder.keep(b"x" * MAX_INLINE_BYTES, "image/png")
    many = folder.keep(b"x" * (MAX_INLINE_BYTES + 1), "image/png")
    assert (few.data, few.path) == (b"x" * few.size, None)
    assert (many.data, many.path.read_bytes()) == (None, b"x" * many.size)
    assert many.media_type == "image/png"


def test_an_inline_blob_is_written_down_for_who_needs_a_file(folder):
    few, many = folder.keep(b"abc", "audio/wav"), folder.keep(bytes(MB), "audio/wav")
    assert folder.path_of(few).read_bytes() == b"abc"
    assert folder.path_of(many) == many.path


def test_a_request_may_write_so_much_and_no_more(small):
    with small.request("req_1") as folder:
        folder.keep(bytes(3 * MB), "image/png")
        assert folder.room() == MB
        with pytest.raises(RequestFailed) as failed:
            folder.keep(bytes(2 * MB), "image/png")
        assert failed.value.kind == "too_large"
        assert "UNIVERSAL_RUNTIME_SPOOL_REQUEST_MB" in failed.value.hint
        folder.keep(bytes(MB), "image/png")
        with pytest.raises(RequestFailed):
            folder.room()


def test_a_growing_file_is_refused_before_it_passes_the_limit(small):
    with small.request("req_1") as folder, folder.create() as file:
        with pytest.raises(RequestFailed):
            while True:
                file.write(bytes(64 * 1024))
        assert file.size == 4 * MB


def test_all_requests_together_may_write_so_much(small):
    with small.request("req_1") as first, small.request("req_2") as second, small.request("req_3") as third:
        first.keep(bytes(4 * MB), "image/png")
        second.keep(bytes(4 * MB), "image/png")
        with pytest.raises(RequestFailed) as failed:
            third.keep(bytes(MB), "image/png")
        assert failed.value.kind == "out_of_space"
        assert "Ask again in a moment" in failed.value.hint
        small.remove("req_2")
        third.keep(bytes(MB), "image/png")


def test_another_process_that_knows_the_path_is_bound_by_the_same_limits(small):
    with small.request("req_1") as folder:
        folder.keep(bytes(3 * MB), "image/png")
        in_the_host = SpoolFolder(folder.path, folder.request_bytes, folder.spool_bytes)
        with pytest.raises(RequestFailed):
            in_the_host.keep(bytes(2 * MB), "image/png")


def test_it_travels_to_a_host_with_its_limits(folder):
    limits = Limits(media=MediaSettings(pixels=1000))
    run = Run("req_1-0", ModelRef("org/model"), Embed(("text",)), folder=folder)
    assert pickle.loads(pickle.dumps((limits, run))) == (limits, run)
    assert decoder_of(limits.media) is decoder_of(MediaSettings(pixels=1000))


def test_a_full_disk_is_said(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SpoolFolder, "check", full)
    with pytest.raises(RequestFailed) as failed:
        folder.keep(bytes(MB), "image/png")
    assert (failed.value.kind, failed.value.message) == ("out_of_space", "The server's disk is full.")
