"""Processes that fill a database until they are killed, forked from one that has imported what they need.

It reads `FOLDER SEED` from its input, says `pid PID` of the process that it starts, and `ended SIGNAL` when that is so.
Between these two lines the process says what it finishes and removes, before and after it does.
"""

from __future__ import annotations

import os
import random
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from databases import IDENTITY, ids_of, options, passages, record, vectors
from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.local import LocalDatabase
from llamafarm_rag.database.writers import new_writer
from llamafarm_rag.store.base import StoreSpec
from llamafarm_rag.store.chroma import chroma_on_disk
from llamafarm_rag.store.chroma_config import CHROMA

FILES = 6


class WritingOften(DatabaseOptions):
    """Chroma writes its index after every tenth row, so that some writer is killed in the middle of it."""

    @property
    def kind(self) -> StoreSpec:
        return replace(CHROMA, open=lambda config, folder, name: chroma_on_disk(folder, name, sync_threshold=10))


def writing_often() -> DatabaseOptions:
    return WritingOften(**options().model_dump())


def write(folder: Path, seed: int) -> None:
    chosen = random.Random(seed)
    database, writer = LocalDatabase(writing_often(), folder), new_writer()
    database.claim(IDENTITY)
    print("open", flush=True)
    for round_ in range(1_000_000):
        path = f"{chosen.randrange(FILES)}.txt"
        if chosen.random() < 0.2:
            print(f"removing {path}", flush=True)
            database.remove("docs", path)
            print(f"removed {path}", flush=True)
            continue
        version, count = f"{seed}.{round_}", chosen.randrange(1, 40)
        rows = passages(path, count, version)
        for start in range(0, count, 16):
            database.put(rows[start : start + 16], vectors(count)[start : start + 16], writer)
        print(f"finishing {path} {version} {count}", flush=True)
        database.finish(record(path, count, version), ids_of(rows))
        print(f"finished {path} {version} {count}", flush=True)


def fork(folder: Path, seed: int) -> None:
    child = os.fork()
    if child == 0:
        write(folder, seed)
    print(f"pid {child}", flush=True)
    _, status = os.waitpid(child, 0)
    print(f"ended {os.WTERMSIG(status)}", flush=True)


if __name__ == "__main__":
    for line in sys.stdin:
        fork(Path(line.split()[0]), int(line.split()[1]))
