"""A database in its folder: what it finds, what it refuses, and how it catches up with its ledger."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chroma_process import chroma_process
from databases import IDENTITY, WRITER, add_file, ids_of, options, passages, record, vectors
from llamafarm.errors import UsageError
from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.base import EmbedderIdentity
from llamafarm_rag.database.local import LocalDatabase
from llamafarm_rag.database.passage import Passage
from llamafarm_rag.database.writers import new_writer
from llamafarm_rag.errors import DatabaseError, DimensionMismatch
from llamafarm_rag.store.chroma import chroma_on_disk


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "notes"


@pytest.fixture
def database(folder) -> Iterator[LocalDatabase]:
    made = LocalDatabase(options(), folder)
    made.claim(IDENTITY)
    yield made
    made.close()


def reopened(database: LocalDatabase, folder: Path) -> LocalDatabase:
    database.close()
    return LocalDatabase(options(), folder)


def rows_of(folder: Path) -> tuple[set[str], set[str]]:
    """The rows of the store, and those of the ledger, of a database that nobody has open."""
    store = chroma_on_disk(folder / "store", "notes")
    there = set(store.ids())
    store.close()
    with sqlite3.connect(folder / "ledger.sqlite3") as db:
        owned = {row for (row,) in db.execute("SELECT id FROM owners")}
    db.close()
    return there, owned


def test_passages_of_a_file_are_found_by_meaning_and_by_words(database):
    ids = add_file(database, "a.txt", 5)
    question = vectors(5)[3]
    assert database.nearest(question, 1, None)[0].passage.id == ids[3]
    assert database.similarities(question, [ids[3], "unknown"])[ids[3]] == pytest.approx(1, abs=1e-5)
    (match, *_) = database.matching("TEXT 2", 2, None)
    assert (match.passage, match.score > 0) == (passages("a.txt", 5)[2], True)


def test_words_are_found_by_filters_and_after_changes(database):
    add_file(database, "a.txt", 3)
    add_file(database, "b.txt", 3)
    assert {match.passage.file for match in database.matching("text", 9, {"file": "b.txt"})} == {"b.txt"}
    database.remove("docs", "b.txt")
    assert {match.passage.file for match in database.matching("text", 9, None)} == {"a.txt"}
    with pytest.raises(UsageError, match="no operator"):
        database.matching("text", 9, {"file": {"$like": "b"}})


def test_a_changed_file_has_its_new_passages_alone(database, folder):
    add_file(database, "a.txt", 5)
    after = add_file(database, "a.txt", 2, "2")
    assert sorted(match.passage.id for match in database.nearest(vectors(1)[0], 9, None)) == after
    database.close()
    assert rows_of(folder) == (set(after), set(after))


def test_a_removed_file_is_gone(database):
    add_file(database, "a.txt", 2)
    add_file(database, "b.txt", 2)
    database.remove("docs", "a.txt")
    database.remove("docs", "unknown.txt")
    assert {match.passage.file for match in database.nearest(vectors(1)[0], 9, None)} == {"b.txt"}
    assert [file.path for file in database.files(None)] == ["b.txt"]


def test_every_operation_may_be_done_twice(database):
    rows = passages("a.txt", 2)
    for _ in range(2):
        database.claim(IDENTITY)
        database.put(rows, vectors(2), WRITER)
    for _ in range(2):
        database.finish(record("a.txt", 2), ids_of(rows))
        database.set_sources("docs", ["/a"])
    assert (database.stats().passages, database.files("docs")) == (2, [record("a.txt", 2)])
    for _ in range(2):
        database.remove("docs", "a.txt")
        database.abandon(WRITER)
        database.clear()
    assert database.stats().passages == 0


def test_its_size_is_told(database):
    add_file(database, "a.txt", 3)
    stats = database.stats()
    assert (stats.passages, stats.files, stats.datasets, stats.embedder) == (3, 1, {"docs": 3}, IDENTITY)
    assert stats.bytes > 1000


def test_an_empty_database_says_what_to_do(folder):
    database = LocalDatabase(options(), folder)
    for ask in (lambda: database.nearest(vectors(1)[0], 1, None), lambda: database.matching("a", 1, None)):
        with pytest.raises(DatabaseError, match=r"(?s)'notes' is empty.*lf datasets process") as raised:
            ask()
        assert raised.value.code == "database_empty"
    database.close()


def test_a_half_built_database_says_what_to_do(database):
    database.put(passages("a.txt", 3), vectors(3), WRITER)
    with pytest.raises(DatabaseError, match=r"(?s)half-built.*3 passages are on their way.*lf datasets process"):
        database.nearest(vectors(1)[0], 1, None)


def test_vectors_of_another_length_are_refused_with_what_to_do(database):
    add_file(database, "a.txt", 1)
    other = vectors(1, 3)
    for ask in (
        lambda: database.nearest(other[0], 1, None),
        lambda: database.similarities(other[0], ["a"]),
        lambda: database.put(passages("b.txt", 1), other, WRITER),
        lambda: database.claim(EmbedderIdentity("small", IDENTITY.model, 3)),
    ):
        with pytest.raises(DimensionMismatch, match=r"(?s)'notes'.*4.*3.*lf rag rebuild notes"):
            ask()
    assert database.stats().passages == 1


def test_another_model_is_refused_while_there_are_files(database):
    add_file(database, "a.txt", 1)
    with pytest.raises(DatabaseError, match=r"(?s)org/small@1.*org/big.*lf rag rebuild notes"):
        database.claim(EmbedderIdentity("small", "universal:org/big", 4))
    database.claim(EmbedderIdentity("renamed", IDENTITY.model, 4))
    assert database.stats().embedder.strategy == "renamed"


@pytest.mark.parametrize("dimension", [4, 3])
def test_another_model_may_be_used_once_there_are_no_files(database, dimension):
    add_file(database, "a.txt", 1)
    database.remove("docs", "a.txt")
    database.claim(EmbedderIdentity("big", "universal:org/big", dimension))
    database.put(passages("b.txt", 1), vectors(1, dimension), WRITER)
    database.finish(record("b.txt", 1), ids_of(passages("b.txt", 1)))
    assert database.nearest(vectors(1, dimension)[0], 1, None)[0].passage.file == "b.txt"


def test_vectors_of_nobody_knows_which_model_are_refused(database):
    database.put([], np.empty((0, 4), dtype=np.float32), WRITER)
    database.clear()
    with pytest.raises(DatabaseError, match="which model"):
        database.put(passages("a.txt", 1), vectors(1), WRITER)


def test_what_the_store_does_not_take_is_not_kept(database, folder, monkeypatch):
    owned = add_file(database, "a.txt", 1)
    with monkeypatch.context() as patch:
        patch.setattr(database._store, "add", refuse)
        for path in ("a.txt", "b.txt"):
            with pytest.raises(DatabaseError, match="the disk is full"):
                database.put(passages(path, 1), vectors(1), WRITER)
    reopened(database, folder).close()
    assert rows_of(folder) == (set(owned), set(owned))


def refuse(*rows: object) -> None:
    raise DatabaseError("Oh, the disk is full.")


def test_odd_texts_and_metadata_are_kept(database):
    odd = Passage(
        "odd", "a\x00b \u202e\U0001f999\r\n", "ö\n.txt", "docs", 0, 0, 9, None, ("\ud800",), {"": "", "#a": 2**70}
    )
    database.put([odd], vectors(1), WRITER)
    database.finish(record("ö", 1), ["odd"])
    assert database.nearest(vectors(1)[0], 1, None)[0].passage == odd


def test_what_a_dead_process_did_not_finish_is_gone_when_the_store_is_next_opened(database, folder):
    done = add_file(database, "a.txt", 2)
    database.put(passages("b.txt", 3), vectors(3), "1:0.0:dead")
    again = reopened(database, folder)
    again.prepare()
    again.close()
    assert rows_of(folder) == (set(done), set(done))


def test_what_a_living_process_has_not_finished_yet_stays(database, folder):
    rows = passages("b.txt", 3)
    database.put(rows, vectors(3), new_writer())
    again = reopened(database, folder)
    again.finish(record("b.txt", 3), ids_of(rows))
    assert again.stats().passages == 3
    again.close()


def test_a_store_that_is_behind_its_ledger_catches_up(database, folder):
    kept = add_file(database, "a.txt", 3)
    database.close()
    store = chroma_on_disk(folder / "store", "notes")
    store.delete(kept[:2])
    store.add(passages("stranger.txt", 2), vectors(2))
    store.close()
    again = LocalDatabase(options(), folder)
    again.prepare()
    again.close()
    assert rows_of(folder) == (set(kept), set(kept))


def test_what_there_is_is_told_without_the_store(database, folder):
    add_file(database, "a.txt", 3)
    database.close()
    shutil.rmtree(folder / "store")
    again = LocalDatabase(options(), folder)
    assert (again.stats().passages, [file.shown for file in again.files(None)]) == (3, ["a.txt"])
    again.set_sources("docs", ["/notes"])
    assert not (folder / "store").exists()
    assert [match.passage.file for match in again.nearest(vectors(1)[0], 1, None)] == ["a.txt"]
    again.close()


def test_clearing_that_was_interrupted_goes_on(database, folder):
    add_file(database, "a.txt", 3)
    database._ledger.begin_clearing()
    again = reopened(database, folder)
    again.claim(EmbedderIdentity("big", "universal:org/big", 3))
    again.put(passages("b.txt", 1), vectors(1, 3), WRITER)
    again.close()


def many(database: LocalDatabase) -> None:
    """So many rows that Chroma writes its index."""
    rows = passages("many.txt", 1100)
    database.put(rows, vectors(1100), WRITER)
    database.finish(record("many.txt", 1100), ids_of(rows))


def test_a_damaged_index_is_made_anew_from_the_ledger(database, folder, caplog):
    many(database)
    database.close()
    (index,) = (folder / "store").glob("*/data_level0.bin")
    index.write_bytes(b"")
    again = LocalDatabase(options(), folder)
    assert again.nearest(vectors(1100)[77], 1, None)[0].passage.number == 77
    assert "has its store made anew from its ledger" in caplog.text
    again.close()
    assert (folder / "store.damaged").is_dir()


def test_a_damaged_store_is_made_anew_from_the_ledger(database, folder, caplog):
    ids = add_file(database, "a.txt", 3)
    database.close()
    (folder / "store" / "chroma.sqlite3").write_bytes(b"garbage " * 1000)
    again = LocalDatabase(options(), folder)
    assert again.nearest(vectors(3)[1], 1, None)[0].passage.id == ids[1]
    assert "has its store made anew from its ledger" in caplog.text
    again.close()


def test_a_damaged_ledger_is_told_and_nothing_is_deleted(database, folder):
    add_file(database, "a.txt", 3)
    database.close()
    (folder / "ledger.sqlite3").write_bytes(b"garbage " * 1000)
    before = {file: file.stat().st_size for file in folder.rglob("*")}
    with pytest.raises(DatabaseError, match=r"(?s)ledger.*cannot be used.*Nothing was deleted.*lf rag rebuild"):
        LocalDatabase(options(), folder)
    assert {file: file.stat().st_size for file in before} == before


def test_a_ledger_that_was_deleted_is_told_and_nothing_else_is(database, folder):
    add_file(database, "a.txt", 3)
    database.close()
    (folder / "ledger.sqlite3").unlink()
    for _ in range(2):
        with pytest.raises(DatabaseError, match=r"(?s)3 passages, and no ledger.*lf rag rebuild"):
            LocalDatabase(options(), folder)


def test_a_chroma_server_is_used_by_several_folders(tmp_path):
    def at(port: int) -> DatabaseOptions:
        return options(host="127.0.0.1", port=port)

    with chroma_process(tmp_path / "chroma") as port:
        here, there = LocalDatabase(at(port), tmp_path / "here"), LocalDatabase(at(port), tmp_path / "there")
        here.claim(IDENTITY)
        ids = add_file(here, "a.txt", 3)
        assert there.nearest(vectors(3)[1], 1, None)[0].passage.id == ids[1]
        assert there.matching("text 2", 1, None)[0].passage.id == ids[2]
        there.claim(IDENTITY)
        add_file(there, "b.txt", 2)
        assert {match.passage.file for match in here.matching("text", 9, None)} == {"a.txt", "b.txt"}
        here.close()
        here = LocalDatabase(at(port), tmp_path / "here")
        assert (here.stats().passages, [file.path for file in here.files(None)]) == (5, ["a.txt"])
        here.close()
        there.close()
