"""The ledger says which files are done and which rows are theirs, and nothing in between."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pytest
from databases import IDENTITY, add_file, ids_of, passages, record, vectors
from llamafarm_rag.database.ledger import Ledger
from llamafarm_rag.errors import DatabaseError


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path / "notes" / "ledger.sqlite3")
    yield made
    made.close()


def test_rows_come_back_as_they_were_put_in(ledger):
    rows = passages("a.txt", 3)
    ledger.put(rows, vectors(3), "w")
    ((found, numbers),) = ledger.rows([*ids_of(rows), "unknown"])
    assert sorted(found, key=lambda row: row.number) == rows
    assert sorted(map(tuple, numbers.tolist())) == sorted(map(tuple, vectors(3).tolist()))
    assert numbers.dtype == np.float32


def test_rows_are_pending_until_their_file_is_done(ledger):
    rows = passages("a.txt", 3)
    ledger.put(rows, vectors(3), "w")
    assert (ledger.pending_ids(), ledger.owned(), ledger.files()) == (set(ids_of(rows)), 0, [])
    before = ledger.generation
    ledger.finish(record("a.txt", 3), ids_of(rows))
    assert (ledger.pending_ids(), ledger.owned(), ledger.files()) == (set(), 3, [record("a.txt", 3)])
    assert ledger.generation > before


def test_a_file_that_is_done_again_lets_go_of_what_it_had(ledger):
    before, after = add_file(ledger, "a.txt", 3), add_file(ledger, "a.txt", 2, "2")
    assert (ledger.row_ids(), sorted(ledger.doomed_ids())) == (set(after), sorted(before))
    assert ledger.files() == [record("a.txt", 2, "2")]
    ledger.forget_doomed(before)
    assert ledger.doomed_ids() == []


def test_rows_that_two_files_own_stay_until_both_are_gone(ledger):
    rows = add_file(ledger, "a.txt", 2)
    ledger.finish(record("copy.txt", 2), rows)
    ledger.remove("docs", "a.txt")
    assert (ledger.row_ids(), ledger.doomed_ids()) == (set(rows), [])
    ledger.remove("docs", "copy.txt")
    assert (ledger.row_ids(), sorted(ledger.doomed_ids())) == (set(), rows)
    generation = ledger.generation
    ledger.remove("docs", "copy.txt")
    assert ledger.generation == generation


def test_a_row_that_comes_back_is_not_deleted_after_all(ledger):
    rows = add_file(ledger, "a.txt", 1)
    ledger.remove("docs", "a.txt")
    assert add_file(ledger, "a.txt", 1) == rows
    assert ledger.doomed_ids() == []


def test_what_a_writer_has_not_finished_can_be_abandoned(ledger):
    done = add_file(ledger, "a.txt", 2)
    ledger.put(passages("a.txt", 2), vectors(2), "w1")
    ledger.put(passages("b.txt", 2), vectors(2), "w1")
    ledger.put(passages("c.txt", 1), vectors(1), "w2")
    assert ledger.writers() == ["w1", "w2"]
    ledger.abandon(["w1"])
    assert ledger.row_ids() == {*done, "c.txt-1-0"}
    assert ledger.pending_ids() == {"c.txt-1-0"}


def test_a_file_cannot_be_done_without_its_rows(ledger):
    ledger.put(passages("a.txt", 1), vectors(1), "w")
    with pytest.raises(DatabaseError, match=r"(?s)1 of 2 passages of a.txt.*datasets process") as raised:
        ledger.finish(record("a.txt", 2), ids_of(passages("a.txt", 2)))
    assert raised.value.code == "passages_missing"
    assert ledger.files() == []


def test_files_and_counts_are_by_dataset(ledger):
    add_file(ledger, "a.txt", 3)
    assert (ledger.files("docs"), ledger.files("other")) == ([record("a.txt", 3)], [])
    assert (ledger.passages_of("docs"), ledger.passages_of("other")) == (3, 0)


def test_sources_keep_their_order_and_outlive_clearing(ledger):
    ledger.set_sources("docs", ["/z", "/a"])
    ledger.set_sources("other", ["/o"])
    ledger.claim(IDENTITY)
    add_file(ledger, "a.txt", 1)
    ledger.begin_clearing()
    assert ledger.is_clearing
    ledger.end_clearing()
    assert (ledger.row_ids(), ledger.files(), ledger.identity, ledger.is_clearing) == (set(), [], None, False)
    assert ledger.sources("docs") == ["/z", "/a"]
    ledger.set_sources("docs", [])
    assert (ledger.sources("docs"), ledger.sources("other")) == ([], ["/o"])


def test_everything_is_there_when_it_is_opened_again(tmp_path):
    first = Ledger(tmp_path / "ledger.sqlite3")
    first.claim(IDENTITY)
    add_file(first, "a.txt", 600)
    first.agree()
    first.close()
    again = Ledger(tmp_path / "ledger.sqlite3")
    assert (again.identity, again.owned(), again.is_new) == (IDENTITY, 600, False)
    assert sum(len(page) for page, _ in again.rows(again.row_ids())) == 600
    again.close()


def test_garbage_is_told_and_stays(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"garbage " * 1000)
    with pytest.raises(DatabaseError, match=r"(?s)file is not a database.*Nothing was deleted.*lf rag rebuild"):
        Ledger(path)
    assert path.read_bytes() == b"garbage " * 1000


def test_a_place_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "ledger.sqlite3").mkdir()
    with pytest.raises(DatabaseError, match=r"(?s)cannot be written or read: unable to open.*may you write there"):
        Ledger(tmp_path / "ledger.sqlite3")
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="cannot be written or read"):
        Ledger(tmp_path / "file" / "ledger.sqlite3")


def test_a_row_that_cannot_be_read_is_told(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    ledger = Ledger(path)
    add_file(ledger, "a.txt", 1)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE rows SET fields = '{'")
    db.close()
    with pytest.raises(DatabaseError, match="a row of it cannot be read"):
        list(ledger.rows(["a.txt-1-0"]))
    ledger.close()


@pytest.mark.parametrize(
    ("changed", "said", "code"),
    [
        ("user_version = 99", "later version", "ledger_too_new"),
        ("application_id = 7", "another program made it", "ledger_broken"),
    ],
)
def test_a_ledger_of_a_later_version_or_another_program_is_not_touched(tmp_path, changed, said, code):
    path = tmp_path / "ledger.sqlite3"
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA {changed}")
    with pytest.raises(DatabaseError, match=said) as raised:
        Ledger(path)
    assert raised.value.code == code
