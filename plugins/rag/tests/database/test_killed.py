"""A process that writes to a database is killed again and again: nothing is lost, doubled or left over."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import ids_of, passages, vectors
from llamafarm_rag.database.local import LocalDatabase

PROGRAM = Path(__file__).with_name("writing_process.py")
sys.path.insert(0, str(PROGRAM.parent))

from writing_process import writing_often  # noqa: E402

KILLS = 8
Files = dict[str, tuple[str, int]]
"""The version and the number of passages of each file."""


@pytest.fixture
def writers() -> Iterator[subprocess.Popen[str]]:
    """The process that starts writers."""
    command = [sys.executable, str(PROGRAM)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def killed(writers: subprocess.Popen[str], folder: Path, seed: int, lines: int, delay: float) -> list[str]:
    """Have a process write until it has said so much, kill it so many seconds later, and return all that it said."""
    assert writers.stdin and writers.stdout
    writers.stdin.write(f"{folder} {seed}\n")
    writers.stdin.flush()
    said: list[str] = []
    pid: int | None = None
    while True:
        word, *rest = line = writers.stdout.readline().split()
        if word == "ended":
            assert rest == ["9"]
            return said
        if word == "pid":
            pid = int(rest[0])
        else:
            said.append(" ".join(line))
        if pid is not None and len(said) >= lines:
            time.sleep(delay)  # into the middle of what it does next
            os.kill(pid, signal.SIGKILL)
            pid = None


def after(files: Files, said: list[str]) -> tuple[Files, Files]:
    """The files that there must be: as of what is surely done, and with what was under way done too."""
    surely, perhaps = dict(files), dict(files)
    for line in said:
        word, *rest = line.split()
        for which, words in ((surely, ("finished", "removed")), (perhaps, ("finishing", "removing"))):
            if word == words[0]:
                which[rest[0]] = (rest[1], int(rest[2]))
            elif word == words[1]:
                which.pop(rest[0], None)
    return surely, perhaps


def files_of(database: LocalDatabase) -> Files:
    return {file.path: (file.content, file.chunks) for file in database.files(None)}


def test_a_writer_that_is_killed_loses_nothing_and_doubles_nothing(tmp_path, writers):
    chosen, files = random.Random(7), Files()
    for seed in range(KILLS):
        said = killed(writers, tmp_path / "notes", seed, chosen.randrange(2, 25), chosen.random() / 20)
        surely, perhaps = after(files, said)
        database = LocalDatabase(writing_often(), tmp_path / "notes")
        files = files_of(database)
        assert files in (surely, perhaps)
        rows = [row for path, (version, count) in files.items() for row in passages(path, count, version)]
        assert sorted(database._store.ids()) == sorted(ids_of(rows))
        assert database._ledger.row_ids() == set(ids_of(rows))
        assert database.similarities(vectors(1)[0], ids_of(rows)).keys() == set(ids_of(rows))
        database.close()
