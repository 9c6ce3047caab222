"""How far an ingestion is, as a line."""

from __future__ import annotations

from llamafarm_rag.commands.ingestion_line import IngestionLine, line_of
from llamafarm_rag.ingestion.progress import IngestionProgress

HALF = IngestionProgress("docs", "docs/cows.md", 2, 8, 500.0, 1000, 30, 10.0)


def test_it_tells_files_chunks_speed_and_the_time_that_is_left():
    assert line_of(HALF) == "[##########          ]  2 of 8 files  30 chunks  3.0 chunks/s  10 s left  docs/cows.md"


def test_before_anything_is_done_no_time_is_guessed():
    assert "left" not in line_of(IngestionProgress("docs", "", 0, 8, 0.0, 1000, 0, 0.0))


def test_what_foreign_names_hold_does_not_steer_the_terminal():
    assert "\x1b" not in line_of(IngestionProgress("docs", "a\x1b[2Jb", 0, 1, 0.0, 1, 0, 0.0))


def test_where_there_is_no_terminal_nothing_is_written(capsys):
    with IngestionLine() as line:
        line(HALF)
    assert capsys.readouterr().err == ""
