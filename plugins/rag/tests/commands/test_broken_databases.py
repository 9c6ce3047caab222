"""`lf` and a database that cannot be used as it is: what is said, and that nothing is lost."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from llamafarm_rag.database import holding
from llamafarm_rag.database.lock import DatabaseLock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def folder(farmer, tmp_path) -> Path:
    """The folder of a database with two files, which nobody has open."""
    assert (await farmer.lf("datasets", "add", "docs")).exit_code == 0
    [ledger] = (tmp_path / "data" / "rag").glob("*/notes/ledger.sqlite3")
    return ledger.parent


def cut_off(folder: Path) -> None:
    ledger = folder / "ledger.sqlite3"
    ledger.write_bytes(ledger.read_bytes()[:9000])


def remove(folder: Path) -> None:
    (folder / "ledger.sqlite3").unlink()


def write_later_version(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as ledger:
        ledger.execute("PRAGMA user_version = 99")


def damage_everything(folder: Path) -> None:
    remove(folder)
    (folder / "store" / "chroma.sqlite3").write_bytes(b"garbage " * 1000)


CAUSES = {
    cut_off: "cannot be used: database disk image is malformed",
    remove: "has 2 passages, and no ledger that says of which files they are",
    write_later_version: "was written by a later version of llamafarm-rag",
    damage_everything: "The store in ",
}


def fails(done) -> str:
    """The text and the hint of the error with which a command has ended."""
    assert done.exit_code == 1, done.output
    return f"{done.exception} {done.exception.hint}"


@pytest.mark.parametrize("damage", CAUSES, ids=lambda damage: damage.__name__)
async def test_a_database_that_cannot_be_opened_is_put_aside_by_rebuilding_it_alone(farmer, folder, damage, caplog):
    farmer.write(f"{folder.parent}.files/docs/hens.md", "Hens lay eggs.")  # as if a client had added it
    damage(folder)
    ledger = folder / "ledger.sqlite3"
    damaged = ledger.read_bytes() if ledger.is_file() else None
    for command in (("datasets", "process"), ("rag", "query", "milk?")):
        said = fails(await farmer.lf(*command))
        assert CAUSES[damage] in said
        assert "lf rag rebuild" in said
    with caplog.at_level(logging.WARNING):
        done = await farmer.lf("rag", "rebuild")
    assert done.exit_code == 0, done.output
    [aside] = folder.parent.glob("notes.aside-*")
    assert f"was put aside, as it was: {aside}" in caplog.text
    if damage is write_later_version:
        assert "docs: 3 added" in done.stdout
        assert "had named were taken over" in caplog.text
    else:
        assert "add again what there was" in caplog.text
        assert "docs: 1 added" in done.stdout
        assert "docs: 2 added, 1 unchanged" in (await farmer.lf("datasets", "add", "docs")).stdout
    assert (aside / "store").is_dir()
    assert damaged is None or (aside / "ledger.sqlite3").read_bytes() == damaged


async def test_where_nothing_could_be_embedded_a_broken_database_stays_where_it_is(farmer, folder):
    cut_off(folder)
    config = farmer.folder / "llamafarm.yaml"
    config.write_text(config.read_text().replace("http://127.0.0.1", "http://127.0.0.1:9/"))
    fails(await farmer.lf("rag", "rebuild"))
    assert [path.name for path in folder.parent.iterdir()] == ["notes"]


async def test_a_damaged_store_is_made_anew_from_the_ledger(farmer, folder, caplog):
    (folder / "store" / "chroma.sqlite3").write_bytes(b"garbage " * 1000)
    found = await farmer.json("rag", "query", "When does Berta give milk?")
    assert len(found["hits"]) == 2
    assert "has its store made anew from its ledger" in caplog.text
    assert (folder / "store.damaged" / "chroma.sqlite3").read_bytes() == b"garbage " * 1000


async def test_another_model_is_refused_until_the_database_is_built_anew(farmer, folder, server):
    config = farmer.folder / "llamafarm.yaml"
    config.write_text(config.read_text().replace("model: m,", "model: other,"))
    server.dimension = 8
    farmer.write("docs/hens.md", "Hens lay eggs.")
    for command in (("datasets", "process"), ("rag", "query", "eggs")):
        assert "lf rag rebuild notes" in fails(await farmer.lf(*command))
    assert (await farmer.json("rag", "stats"))[0]["passages"] == 2
    assert "docs: 3 added" in (await farmer.lf("rag", "rebuild")).stdout
    [row] = await farmer.json("rag", "stats")
    assert (row["passages"], row["embedder"]["dimension"]) == (3, 8)


async def test_a_database_of_which_no_file_is_done_says_how_to_go_on(farmer, folder):
    with closing(sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None)) as ledger:
        ledger.executescript("DELETE FROM owners; DELETE FROM files; INSERT INTO pending SELECT id, '1:0:x' FROM rows;")
    said = fails(await farmer.lf("rag", "query", "milk?"))
    assert "is half-built" in said
    assert "`lf datasets process` goes on with it" in said
    assert "docs: 2 added" in (await farmer.lf("datasets", "process", "docs")).stdout


async def test_a_holder_that_does_not_answer_is_named(farmer, folder, monkeypatch):
    monkeypatch.setattr(holding, "PATIENCE_SECONDS", 0.05)
    lock = DatabaseLock(folder)
    assert lock.try_acquire()
    for command in (("datasets", "process"), ("rag", "query", "milk?"), ("rag", "rebuild")):
        assert "is held by another process, which does not answer" in fails(await farmer.lf(*command))
    lock.release()
    assert (await farmer.lf("rag", "query", "milk?")).exit_code == 0
