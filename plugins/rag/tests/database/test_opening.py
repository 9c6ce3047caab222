"""One process holds a database, and all others of the user use it through that one, whoever ends first."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import llamafarm
import pytest
from databases import IDENTITY, ids_of, passages, record, vectors
from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.config.project import database_of
from llamafarm_rag.database import holding
from llamafarm_rag.database.aside import put_aside
from llamafarm_rag.database.folder import database_folder
from llamafarm_rag.database.lock import DatabaseLock, Holder
from llamafarm_rag.database.opening import close_unused, linger_seconds, open_database
from llamafarm_rag.errors import DatabaseError

pytestmark = pytest.mark.anyio
PROGRAM = Path(__file__).with_name("asking_process.py")
YAML = """
rag:
  databases:
    - name: notes
      type: ChromaStore
      embedding_strategies: [{name: small, type: UniversalEmbedder, config: {model: org/small}}]
"""


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def file(tmp_path) -> Path:
    made = tmp_path / "farm" / "llamafarm.yaml"
    made.parent.mkdir()
    made.write_text(YAML)
    return made


@pytest.fixture
def project(file) -> llamafarm.Project:
    with llamafarm.open(file) as farm:
        return farm.project


@pytest.fixture
def notes(project) -> DatabaseOptions:
    return database_of(project, "notes")


class Asking:
    """A process that has the database open."""

    def __init__(self, file: Path) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, PROGRAM, file], stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdin and self.process.stdout
        self.input, self.output = self.process.stdin, self.process.stdout
        self.opened = self.output.readline().strip()

    async def ask(self, operation: str) -> str:
        self.input.write(f"{operation}\n")
        self.input.flush()
        return (await asyncio.to_thread(self.output.readline)).strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.input.close()
        self.process.wait()
        self.output.close()


@pytest.fixture
def other(file) -> Iterator[Asking]:
    made = Asking(file)
    yield made
    made.end()


async def fill(database, path: str, count: int = 3) -> None:
    await database.claim(IDENTITY)
    rows = passages(path, count)
    await database.put(rows, vectors(count))
    await database.finish(record(path, count), ids_of(rows))


async def test_each_project_has_a_folder_of_its_own(tmp_path, project, notes, data_folder):
    folder = database_folder(project, notes, os.environ)
    assert folder.parent.parent == data_folder / "rag"
    assert (folder.name, folder.parent.name.rpartition("-")[0]) == ("notes", "farm")
    second = tmp_path / "second" / "farm" / "llamafarm.yaml"
    second.parent.mkdir(parents=True)
    second.write_text(YAML)
    with llamafarm.open(second) as farm:
        assert database_folder(farm.project, notes, os.environ) != folder
    upper = notes.model_copy(update={"name": "Notes"})
    assert database_folder(project, upper, os.environ).name.startswith("notes-")


async def test_several_in_one_process_share_it(project, notes):
    first, second = await asyncio.gather(open_database(project, notes), open_database(project, notes))
    await fill(first, "a.txt")
    assert (await second.stats()).passages == 3
    await first.aclose()
    await first.aclose()
    with pytest.raises(DatabaseError, match="was closed"):
        await first.stats()
    assert [match.passage.file for match in await second.matching("text", 1)] == ["a.txt"]
    await second.aclose()
    third = await open_database(project, notes)
    assert (third.is_holder, (await third.stats()).passages) == (True, 3)
    await third.aclose()


async def test_what_one_opening_does_not_finish_is_forgotten_with_it(project, notes):
    first, second = await open_database(project, notes), await open_database(project, notes)
    await fill(first, "a.txt")
    await first.put(passages("b.txt", 2), vectors(2))
    await first.aclose()
    assert len(await second.nearest(vectors(1)[0], 9)) == 3
    await second.aclose()


async def test_an_opening_that_nobody_waits_for_is_closed(project, notes, data_folder):
    before = asyncio.all_tasks()
    opening = asyncio.create_task(open_database(project, notes))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    lock = DatabaseLock(database_folder(project, notes, os.environ))
    await asyncio.gather(*(asyncio.all_tasks() - before))
    await asyncio.sleep(0)
    assert lock.try_acquire()
    lock.release()


async def test_another_process_uses_it_through_its_holder(other, project, notes):
    assert other.opened == "open holder"
    database = await open_database(project, notes)
    assert not database.is_holder
    await fill(database, "a.txt")
    assert await other.ask("database.files()") == f"{[record('a.txt', 3)]!r} holder"
    (match,) = await database.nearest(vectors(3)[1], 1, {"file": "a.txt"})
    assert match.passage == passages("a.txt", 3)[1]
    assert set(await database.similarities(vectors(3)[1], ["a.txt-1-2"])) == {"a.txt-1-2"}
    await database.set_sources("docs", ["/a"])
    assert await database.sources("docs") == ["/a"]
    with pytest.raises(DatabaseError, match="made with"):
        await database.claim(IDENTITY.__class__("small", "other", 4))
    await database.remove("docs", "a.txt")
    await database.clear()
    assert (await database.stats()).passages == 0
    other.process.send_signal(signal.SIGSTOP)
    await asyncio.to_thread(os.waitpid, other.process.pid, os.WUNTRACED)
    asking = asyncio.create_task(database.files())
    await asyncio.sleep(0.05)
    assert not asking.done()
    other.process.send_signal(signal.SIGCONT)
    assert await asking == []
    await database.aclose()


async def test_whoever_is_left_takes_over_when_the_holder_is_killed(other, project, notes, file):
    database = await open_database(project, notes)
    await fill(database, "a.txt")
    await database.put(passages("b.txt", 2), vectors(2))
    other.kill()
    await database.finish(record("b.txt", 2), ids_of(passages("b.txt", 2)))
    assert database.is_holder
    assert ((await database.stats()).passages, (await database.stats()).files) == (5, 2)
    third = Asking(file)
    assert third.opened == "open asks"
    assert await third.ask("database.matching('text 1', 1)") == f"{await database.matching('text 1', 1)!r} asks"
    await database.aclose()
    assert (await third.ask("database.stats()")).endswith(" holder")
    third.end()


async def test_the_holder_is_killed_while_others_ask(other, project, notes):
    database = await open_database(project, notes)
    await database.claim(IDENTITY)

    filled = asyncio.Event()

    async def fill_many() -> None:
        for number in range(20):
            await fill(database, f"{number}.txt", 5)
            if number == 3:
                filled.set()

    filling = asyncio.create_task(fill_many())
    await filled.wait()
    other.kill()
    await filling
    assert database.is_holder
    stats = await database.stats()
    assert (stats.files, stats.passages) == (20, 100)
    assert len(await database.nearest(vectors(1)[0], 1000)) == 100
    await database.aclose()


async def test_an_opening_that_fails_leaves_the_database_to_others(project, notes):
    folder = database_folder(project, notes, os.environ)
    folder.mkdir(parents=True)
    (folder / "ledger.sqlite3").write_bytes(b"garbage " * 1000)
    with pytest.raises(DatabaseError, match="file is not a database"):
        await open_database(project, notes)
    (folder / "ledger.sqlite3").unlink()
    await (await open_database(project, notes)).aclose()


async def test_a_holder_that_does_not_answer_is_told(project, notes, monkeypatch):
    monkeypatch.setattr(holding, "PATIENCE_SECONDS", 0.2)
    lock = DatabaseLock(database_folder(project, notes, os.environ))
    assert lock.try_acquire()
    with pytest.raises(DatabaseError, match=r"(?s)held by another process, which does not answer.*The lock is"):
        await open_database(project, notes)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.listen()
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        lock.announce(Holder(77, f"http://127.0.0.1:{port}"))
        with pytest.raises(DatabaseError, match="held by process 77, which does not answer") as raised:
            await open_database(project, notes)
    assert raised.value.code == "database_held"
    lock.release()


@pytest.fixture
def lingering() -> Iterator[None]:
    """Databases stay open after their last use, as in a server, for longer than any test takes."""
    token = linger_seconds.set(600.0)
    yield
    linger_seconds.reset(token)
    close_unused()


async def test_a_server_leaves_a_database_open_for_its_next_request(project, notes, lingering):
    database = await open_database(project, notes)
    first = database._holding
    await database.aclose()
    again = await open_database(project, notes)
    assert again._holding is first
    await asyncio.to_thread(close_unused)
    assert (await again.stats()).passages == 0  # it is in use
    await again.aclose()
    await asyncio.to_thread(close_unused)
    lock = DatabaseLock(database_folder(project, notes, os.environ))
    assert lock.try_acquire()
    lock.release()


async def test_what_stayed_open_is_opened_anew_where_its_configuration_has_changed(project, notes, lingering):
    database = await open_database(project, notes)
    await database.aclose()
    changed = notes.model_copy(update={"default_embedding_strategy": "small"})
    again = await open_database(project, changed)
    assert again._holding is not database._holding
    await again.aclose()


async def test_what_stayed_open_can_be_put_aside(project, notes, lingering):
    await (await open_database(project, notes)).aclose()
    assert (await put_aside(project, notes) / "ledger.sqlite3").is_file()


async def test_a_while_after_its_last_use_it_is_closed(project, notes):
    token = linger_seconds.set(0.01)
    await (await open_database(project, notes)).aclose()
    linger_seconds.reset(token)
    lock = DatabaseLock(database_folder(project, notes, os.environ))
    await asyncio.to_thread(lock._lock.acquire, 30)
    lock.release()
