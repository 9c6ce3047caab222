"""How far an ingestion is."""

from __future__ import annotations

import pytest
from llamafarm_rag.ingestion.progress import IngestionProgress, Tally


def moment(**fields):
    given = {"files": 1, "total_files": 4, "bytes": 250.0, "total_bytes": 1000, "chunks": 30, "seconds": 10.0}
    return IngestionProgress("docs", "a.md", **{**given, **fields})


def test_the_time_left_is_told_by_the_bytes_that_are_done():
    assert moment().seconds_left == pytest.approx(30)
    assert moment(bytes=0).seconds_left is None
    assert moment(bytes=1000.4).seconds_left == 0


def test_chunks_per_second_are_an_average():
    assert moment().chunks_per_second == pytest.approx(3)
    assert moment(seconds=0).chunks_per_second == 0


def test_as_json_it_is_for_people():
    assert moment(seconds=9.87654).as_json() == {
        "dataset": "docs",
        "file": "a.md",
        "files": 1,
        "total_files": 4,
        "chunks": 30,
        "chunks_per_second": 3.0,
        "seconds": 9.9,
        "seconds_left": 29.6,
    }


def test_a_tally_tells_every_step():
    moments = []
    tally = Tally("docs", 2, 100, moments.append)
    tally.read("a.md")
    tally.embedded(3, 60.0)
    tally.done()
    tally.done(40)
    assert [(told.file, told.files, told.chunks, told.bytes) for told in moments] == [
        ("a.md", 0, 0, 0),
        ("a.md", 0, 3, 60),
        ("a.md", 1, 3, 60),
        ("a.md", 2, 3, 100),
    ]


def test_time_counts_from_the_first_file_and_not_from_the_model_that_is_loaded_before_it(monkeypatch):
    clock = iter([100.0, 102.0])
    monkeypatch.setattr("llamafarm_rag.ingestion.progress.time.monotonic", lambda: next(clock))
    told: list[IngestionProgress] = []
    tally = Tally("docs", 2, 100, told.append)
    tally.read("a.md")
    tally.embedded(3, 50.0)
    assert [progress.seconds for progress in told] == [0.0, 2.0]
    assert told[1].seconds_left == 2.0
