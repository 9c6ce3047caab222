"""The spool is private, its files go with their requests, and no server's outlive it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.media.spool import Spool

OTHER_SERVER = """
import sys
from pathlib import Path
from pathlib import Path
from llamafarm_universal.media.spool import Spool

spool = Spool.open(Path(sys.argv[1]))
spool.create("req_1").keep(bytes(2**20), "image/png")
print(spool.path, flush=True)
sys.stdin.read()
spool.close()
"""


@pytest.fixture
def other(tmp_path):
    """other() starts another server's process, which has a file in its spool, and returns it and that spool's path."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", OTHER_SERVER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_nothing_is_made_before_a_request_needs_it(tmp_path):
    Spool.open(tmp_path / "spools").close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_the_owners_alone_and_names_its_process(spool, folder):
    assert f"-{os.getpid()}-" in spool.path.name
    for path in (spool.path, folder.path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_the_files_of_a_request_go_with_it(spool):
    with pytest.raises(KeyError), spool.request("req_1") as folder:
        path = folder.keep(bytes(2**20), "image/png").path
        assert path.stat().st_size == 2**20
        raise KeyError
    assert list(spool.path.iterdir()) == []


def test_what_a_host_puts_there_at_the_last_moment_goes_too(spool, monkeypatch):
    folder, rmtree = spool.create("req_1"), shutil.rmtree

    def beaten(path, **options):
        monkeypatch.undo()
        rmtree(path, **options)
        folder.path.mkdir()
        (folder.path / "late").write_bytes(b"x")

    monkeypatch.setattr(shutil, "rmtree", beaten)
    spool.remove("req_1")
    assert list(spool.path.iterdir()) == []


def test_a_folder_that_somebody_has_cleaned_away_is_made_again(spool):
    with spool.request("req_1"):
        shutil.rmtree(spool.path.parent)
    with spool.request("req_2") as folder:
        assert folder.keep(bytes(2**20), "image/png").path.exists()


def test_a_name_cannot_lead_out_of_the_spool(spool):
    with pytest.raises(ValueError, match="cannot name a folder"):
        spool.create("../elsewhere")


def test_the_end_of_a_server_leaves_nothing(spool):
    spool.create("req_1")
    spool.close()
    spool.close()
    assert [path.name for path in spool.path.parent.iterdir()] == ["all.lock"]


def test_a_killed_servers_files_go_when_the_next_starts(tmp_path, other):
    process, path = other()
    process.kill()
    process.wait()
    assert Path(path).exists()
    Spool.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["all.lock"]


def test_a_living_servers_files_stay(tmp_path, other):
    process, path = other()
    Spool.open(tmp_path)
    assert Path(path).exists()
    process.communicate("", timeout=30)
    assert process.returncode == 0
    assert not Path(path).exists()


def test_what_others_keep_beside_the_spools_stays(tmp_path):
    (tmp_path / "spool-notes").mkdir()
    (tmp_path / "spool-notes.lock").write_text("mine")
    Spool.open(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"spool-notes", "spool-notes.lock"}


def test_a_place_that_cannot_be_written_fails_the_request_and_names_the_setting(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestFailed) as failed:
        Spool.open(tmp_path / "file" / "spools", MediaSettings()).create("req_1")
    assert failed.value.kind == "out_of_space"
    assert "UNIVERSAL_RUNTIME_SPOOL" in failed.value.hint
    assert str(tmp_path) not in failed.value.message
