"""Sessions are kept across restarts and kills, belong to one project, and take one turn at a time."""

from __future__ import annotations

import asyncio
import shutil
import stat
import sys
import textwrap
from pathlib import Path

import pytest
from llamafarm.errors import ConfigError, RequestError, UsageError
from llamafarm.sessions import SessionStore

pytestmark = pytest.mark.anyio

FARM = "/home/ann/shop"
HI = {"role": "user", "content": "Hi"}
HELLO = {"role": "assistant", "content": "Hello."}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sessions.db"


def open_store(path: Path) -> SessionStore:
    return SessionStore(path, patience=0.05)


async def filled(store: SessionStore, *messages) -> str:
    session = await store.of(FARM).create()
    await session.hold()
    await session.append(list(messages))
    await session.release()
    return session.id


async def test_what_was_appended_is_there_after_a_restart(path):
    key = await filled(open_store(path), HI, HELLO)
    again = await open_store(path).of(FARM).open(key)
    assert await again.history() == [HI, HELLO]


async def test_messages_come_back_as_they_were(path):
    odd = {"role": "user", "content": [{"type": "text", "text": "Grüße 🦙"}], "name": None}
    key = await filled(open_store(path), odd)
    assert await open_store(path).of(FARM).messages(key) == [odd]


async def test_ids_cannot_be_guessed_and_differ(path):
    store = open_store(path)
    ids = {(await store.of(FARM).create()).id for _ in range(20)}
    assert len(ids) == 20
    assert all(len(key) >= 24 for key in ids)


async def test_an_id_is_never_taken_for_an_option_and_selected_as_one_word(path):
    store = open_store(path)
    ids = [(await store.of(FARM).create()).id for _ in range(20)]
    assert [key for key in ids if not (key[0].isalpha() and key.isalnum() and key == key.lower())] == []


async def test_a_session_is_found_by_a_beginning_that_no_other_has(path, monkeypatch):
    store = open_store(path)
    monkeypatch.setattr("llamafarm.sessions.project._new_id", iter(["abc1", "abd2", "ab", "abc9"]).__next__)
    for project in (FARM, FARM, FARM, "/home/bob/shop"):
        await store.of(project).create()
    assert await store.of(FARM).find("abc") == "abc1"
    assert await store.of(FARM).find("ab") == "ab"  # the whole id of one wins over being the beginning of others
    with pytest.raises(UsageError, match="3 sessions of this project begin with 'a'") as several:
        await store.of(FARM).find("a")
    assert several.value.status == 400
    for unknown in ("abc9", "%", ""):
        with pytest.raises(UsageError, match="has no session"):
            await store.of(FARM).find(unknown)


async def test_the_file_is_for_its_owner_alone(path):
    store = open_store(path)
    await filled(store, HI)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_session_is_found_by_its_own_project_only(path):
    store = open_store(path)
    key = await filled(store, HI)
    bob = store.of("/home/bob/shop")
    for act in (bob.open, bob.messages, bob.delete):
        with pytest.raises(UsageError, match="has no session") as refusal:
            await act(key)
        assert (refusal.value.status, refusal.value.code) == (404, "session_not_found")
    assert await store.of("/home/bob/shop").list() == []


async def test_the_list_shows_the_latest_first_with_count_and_first_words(path):
    store = open_store(path)
    first = await filled(store, {"role": "system", "content": "Be kind."}, HI, HELLO)
    parts = {"role": "user", "content": [{"type": "text", "text": "Look"}]}
    second = await filled(store, parts)
    rows = await store.of(FARM).list()
    assert [(row.id, row.count, row.title) for row in rows] == [(second, 1, "Look"), (first, 3, "Hi")]
    assert rows[0].created <= rows[0].updated


async def test_one_session_is_deleted_or_all_of_a_project(path):
    store = open_store(path)
    one = await filled(store, HI)
    await filled(store, HI)
    elsewhere = await store.of("/home/bob/shop").create()
    await store.of(FARM).delete(one)
    with pytest.raises(UsageError):
        await store.of(FARM).messages(one)
    assert await store.of(FARM).delete_all() == 1
    assert [row.id for row in await store.of("/home/bob/shop").list()] == [elsewhere.id]


async def test_two_turns_at_once_cannot_hold_one_session(path):
    store = open_store(path)
    session = await store.of(FARM).create()
    await session.hold()
    second = await open_store(path).of(FARM).open(session.id)
    with pytest.raises(RequestError) as refusal:
        await (await store.of(FARM).open(session.id)).hold()
    assert (refusal.value.status, refusal.value.code) == (409, "session_busy")
    await session.release()
    await session.release()
    await second.hold()


async def test_a_turn_that_waits_gets_the_session_when_the_one_before_it_ends(path):
    store = SessionStore(path, patience=20)
    session = await store.of(FARM).create()
    await session.hold()
    second = await store.of(FARM).open(session.id)
    waiting = asyncio.create_task(second.hold())
    await asyncio.sleep(0)
    await session.append([HI])
    await session.release()
    await waiting
    assert await second.history() == [HI]


async def test_a_session_whose_creation_is_cancelled_is_not_left_behind(path):
    store = open_store(path)
    creating = asyncio.create_task(store.of(FARM).create())
    await asyncio.sleep(0)  # it has been handed to a thread
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    assert await store.of(FARM).list() == []


async def test_a_turn_that_is_cancelled_while_it_takes_the_session_does_not_keep_it(path):
    store = open_store(path)
    session = await store.of(FARM).create()
    holding = asyncio.create_task(session.hold())
    await asyncio.sleep(0)  # it has been handed to a thread
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    await (await store.of(FARM).open(session.id)).hold()


async def test_a_session_that_is_held_cannot_be_deleted(path):
    store = open_store(path)
    session = await store.of(FARM).create()
    await session.hold()
    with pytest.raises(RequestError, match="Another turn"):
        await store.of(FARM).delete(session.id)
    with pytest.raises(RequestError, match="Another turn"):
        await store.of(FARM).delete_all()


async def test_appending_without_holding_is_refused(path):
    store = open_store(path)
    session = await store.of(FARM).create()
    other = await store.of(FARM).open(session.id)
    await other.hold()
    with pytest.raises(RequestError, match="Another turn"):
        await session.append([HI])
    assert await session.history() == []


async def test_a_process_that_is_killed_loses_nothing_and_holds_nothing(path):
    program = """
        import asyncio, os, sys
        from pathlib import Path
        from llamafarm.sessions import SessionStore

        async def main():
            session = await SessionStore(Path(sys.argv[1])).of("/home/ann/shop").create()
            await session.hold()
            await session.append([{"role": "user", "content": "Hi"}])
            print(session.id, flush=True)
            await asyncio.Event().wait()

        asyncio.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(path)]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    try:
        async with asyncio.timeout(30):
            key = (await child.stdout.readline()).decode().strip()
        session = await open_store(path).of(FARM).open(key)
        with pytest.raises(RequestError, match="Another turn"):
            await session.hold()
    finally:
        child.kill()
        await child.wait()
    assert await session.history() == [HI]
    await session.hold()


async def test_many_writers_to_one_file_lose_nothing(path):
    store = SessionStore(path, patience=20)
    session = await store.of(FARM).create()

    async def turn(number: int) -> None:
        mine = await SessionStore(path, patience=20).of(FARM).open(session.id)
        mine = mine if number % 2 else await store.of(FARM).open(session.id)
        await mine.hold()
        before = len(await mine.history())
        await mine.append([{"role": "user", "content": str(number)}, HELLO])
        assert len(await mine.history()) == before + 2
        await mine.release()

    await asyncio.gather(*(turn(number) for number in range(8)))
    assert len(await session.history()) == 16


async def test_a_folder_that_is_erased_while_it_is_in_use_begins_anew(path):
    store = open_store(path)
    await filled(store, HI)
    shutil.rmtree(path.parent)
    assert await store.of(FARM).list() == []
    key = await filled(store, HELLO)
    assert await open_store(path).of(FARM).messages(key) == [HELLO]


async def test_a_file_that_is_no_database_is_an_error_for_its_reader(path):
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be taken for one" * 10)
    with pytest.raises(ConfigError, match=r"sessions\.db cannot be used"):
        await open_store(path).of(FARM).create()


async def test_a_file_of_a_newer_version_is_left_alone(path):
    import sqlite3

    await open_store(path).of(FARM).create()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigError, match="newer version"):
        await open_store(path).of(FARM).list()
