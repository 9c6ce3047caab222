"""Decoders are killed where they must be, replaced, and know nothing that is secret."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import samples
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media import pool as pools
from llamafarm_universal.media.decoder import Decoder, decoder_of
from llamafarm_universal.media.jobs import PictureJob
from llamafarm_universal.media.settings import MediaSettings


@pytest.fixture
def own():
    """own(…) makes a decoder for one test."""
    opened = []

    def make(**settings):
        opened.append(Decoder(MediaSettings(**settings)))
        return opened[-1]

    yield make
    for decoder in opened:
        decoder.close()


@pytest.fixture
def decodes(folder):
    """Whether a decoder decodes."""
    return lambda decoder: decoder.picture(samples.blob(samples.picture()), folder).width == 4


def workers() -> list[psutil.Process]:
    """The decoders' processes that this one has started."""
    return [child for child in psutil.Process().children() if is_worker(child)]


def is_worker(process: psutil.Process) -> bool:
    try:
        return "llamafarm_universal.media.worker" in process.cmdline()
    except psutil.Error:  # it has ended
        return False


def new_worker(before: set[int]) -> psutil.Process:
    [found] = [worker for worker in workers() if worker.pid not in before]
    return found


def pids() -> set[int]:
    return {worker.pid for worker in workers()}


def job(path: Path, into: Path) -> PictureJob:
    return PictureJob(str(path), str(into), "PNG", "RGB", 1000, 1, 1000)


@pytest.fixture
def pool():
    opened = pools.WorkerPool(1, 60, 2**31)
    yield opened
    opened.close()


def test_nothing_is_started_before_it_is_needed_and_one_serves_again(own, decodes):
    before = pids()
    decoder = own()
    assert not pids() - before
    assert decodes(decoder)
    first = new_worker(before)
    assert decodes(decoder)
    assert new_worker(before) == first
    decoder.close()
    assert not pids() - before


def test_as_many_work_at_once_as_may(own, decodes):
    before = pids()
    decoder = own(decoders=2)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda _: decodes(decoder), range(24)))
    assert len(pids() - before) <= 2


def test_a_decoder_that_was_killed_while_idle_is_replaced(own, decodes):
    before = pids()
    decoder = own()
    assert decodes(decoder)
    worker = new_worker(before)
    os.kill(worker.pid, signal.SIGKILL)
    assert decodes(decoder)


def test_a_decoder_that_takes_too_long_is_killed_and_the_next_file_is_decoded(pool, folder):
    before, endless = pids(), folder.new_path()
    os.mkfifo(endless)  # whoever reads it waits
    pool.seconds = 0.5
    with pytest.raises(RequestFailed, match=r"takes longer than the 0\.5 seconds") as failed:
        pool.do(job(endless, folder.new_path()))
    assert "UNIVERSAL_RUNTIME_DECODE_SECONDS" in failed.value.hint
    assert not pids() - before
    pool.seconds = 60
    assert pool.do(job(folder.path_of(samples.blob(samples.picture())), folder.new_path()))["width"] == 4


def test_a_file_over_which_decoders_crash_fails_and_the_next_is_decoded(own, decodes):
    before, crashed = pids(), threading.Event()
    decoder = own(decoders=1)
    assert decodes(decoder)

    def kill_all():
        while not crashed.wait(0.01):
            for pid in pids() - before:
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_all)
    new_worker(before).suspend()
    killer.start()
    try:
        with pytest.raises(RequestFailed, match="its decoder crashed on it"):
            decodes(decoder)
    finally:
        crashed.set()
        killer.join()
    assert decodes(decoder)


def test_a_file_that_finds_no_free_decoder_in_time_is_told_to_come_again(pool, folder, monkeypatch):
    monkeypatch.setattr(pools, "WAIT_SECONDS", 0.1)
    slow, picture = folder.new_path(), folder.path_of(samples.blob(samples.picture()))
    os.mkfifo(slow)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(pool.do, job(slow, folder.new_path()))
        with slow.open("wb"), pytest.raises(RequestFailed, match="busy decoding other files") as failed:
            pool.do(job(picture, folder.new_path()))  # the decoder is reading the first one
        assert failed.value.kind == "busy"
        with pytest.raises(RequestFailed, match="is broken"):
            first.result(30)
    assert pool.do(job(picture, folder.new_path()))["width"] == 4


def test_a_decoder_is_replaced_after_so_many_files(own, decodes, monkeypatch):
    monkeypatch.setattr(pools, "MAX_JOBS", 2)
    before = pids()
    decoder = own()
    assert decodes(decoder)
    first = new_worker(before)
    assert decodes(decoder)
    assert not pids() - before
    assert decodes(decoder)
    assert new_worker(before) != first


def test_a_decoder_that_is_not_needed_ends_and_comes_back(folder):
    before = pids()
    pool = pools.WorkerPool(1, 60, 2**31, idle=0.1)
    picture = folder.path_of(samples.blob(samples.picture()))
    try:
        assert pool.do(job(picture, folder.new_path()))["width"] == 4
        psutil.wait_procs([worker for worker in workers() if worker.pid not in before], timeout=30)
        assert not pids() - before
        assert pool.do(job(picture, folder.new_path()))["width"] == 4
    finally:
        pool.close()


def test_a_closed_decoder_decodes_nothing_and_what_is_under_way_fails(own, decodes):
    before = pids()
    decoder = own(decoders=1)
    assert decodes(decoder)
    new_worker(before).suspend()
    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(decodes, decoder)
        threading.Event().wait(0.2)
        decoder.close()
        with pytest.raises(RequestFailed):
            under_way.result(30)
    with pytest.raises(RequestFailed, match="stopping"):
        decodes(decoder)
    assert not pids() - before


def test_a_decoder_has_no_keys_and_limited_memory(own, decodes, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("UNIVERSAL_RUNTIME_API_KEY", "secret")
    before = pids()
    assert decodes(own(decode_bytes=2**31))
    worker = new_worker(before)
    assert not {"HF_TOKEN", "UNIVERSAL_RUNTIME_API_KEY"} & set(worker.environ())
    if hasattr(worker, "rlimit"):
        assert worker.rlimit(psutil.RLIMIT_AS) == (2**31, 2**31)


def test_an_answer_that_makes_no_sense_is_a_failure_and_nothing_worse(own):
    from llamafarm_universal.media.jobs import read_answer

    for line in (b"\n", b"[]\n", b'{"done": 1}\n', b'{"refused": []}\n', b"\x80\n"):
        with pytest.raises(RequestFailed, match="no sensible answer"):
            read_answer(line)


def test_threads_that_ask_at_once_share_one_decoder(monkeypatch):
    settings, gate, make = MediaSettings(pixels=12_345), threading.Barrier(4), Decoder.__init__

    def make_slowly(decoder, its_settings):
        with contextlib.suppress(threading.BrokenBarrierError):
            gate.wait(0.2)  # for others who make one
        make(decoder, its_settings)

    monkeypatch.setattr(Decoder, "__init__", make_slowly)
    with ThreadPoolExecutor(4) as threads:
        [shared] = set(threads.map(lambda _: decoder_of(settings), range(4)))
    shared.close()
    decoder_of.cache_clear()
