"""Conversations that are kept: a SQLite file, safe for several processes of one machine.

A turn holds its session: the row names the holder, so that two turns at once, in one process or in two, cannot mix
their messages. A holder whose process has died, by `kill -9` for instance, holds nothing. What has been appended is on
disk when `append` returns.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sqlite3
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread

from llamafarm.errors import RequestError, UsageError
from llamafarm.services import processes
from llamafarm.sessions.database import Database, Kind
from llamafarm.sessions.project import ProjectSessions
from llamafarm.wire.chat import Message

PATIENCE = 2.0
"""Seconds that a turn waits for the one before it: that one's answer may be read before its connection is closed."""
POLL_SECONDS = 0.02

Result = TypeVar("Result")

_held: set[str] = set()
"""The tokens of this process's turns, whichever store they go through."""


@dataclass(frozen=True)
class SessionSummary:
    """created, updated: seconds since 1970. count: messages. title: the first text that the user wrote."""

    id: str
    created: float
    updated: float
    count: int
    title: str | None


Summaries = list[SessionSummary]  # inside the store, `list` is its method
Messages = list[Message]


class SessionStore:
    """The sessions of all projects. project: its place; a session is only found by the project that it belongs to."""

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        self._database = Database(path)
        self.patience = patience

    def of(self, project: str) -> ProjectSessions:
        """The sessions of one project."""
        return ProjectSessions(self, project)

    async def create(self, project: str) -> StoredSession:
        """A new, empty session."""
        session = _new_id()
        now = time.time()
        row = (session, project, now, now)
        statement = "INSERT INTO sessions (id, project, created, updated) VALUES (?, ?, ?, ?)"
        try:
            await self.write(lambda db: db.execute(statement, row))
        except asyncio.CancelledError:
            await self.delete(project, session)  # nobody will ever know its id
            raise
        return StoredSession(self, project, session)

    async def open(self, project: str, session: str) -> StoredSession:
        """An existing session. Raises UsageError (404) for one that this project does not have."""
        await self._read(lambda db: _require(db, project, session))
        return StoredSession(self, project, session)

    async def list(self, project: str) -> Summaries:
        """The sessions of a project, the latest first."""
        return await self._read(lambda db: _summaries(db, project))

    async def find(self, project: str, beginning: str) -> str:
        """The id of the one session of a project that begins so, or is called so. Raises UsageError (404, 400)."""
        statement = "SELECT id FROM sessions WHERE project = ? AND substr(id, 1, ?) = ?"
        asked = (project, len(beginning), beginning)
        found = [key for (key,) in await self._read(lambda db: db.execute(statement, asked).fetchall())]
        if not beginning or not found:
            raise _unknown(beginning)
        if len(found) > 1 and beginning not in found:
            message = f"{len(found)} sessions of this project begin with {beginning!r}."
            raise UsageError(message, hint="Give more of the id: `lf sessions list` shows them.", status=400)
        return beginning if beginning in found else found[0]

    async def adopt(self, name: str, project: str) -> int:
        """Give a project what was kept when `namespace/name` was the key of a session; returns how many there were."""
        statement = "UPDATE sessions SET project = ? WHERE project = ?"
        return await self.write(lambda db: db.execute(statement, (project, name)).rowcount)

    async def messages(self, project: str, session: str) -> Messages:
        """All messages of a session, in order. Raises UsageError (404)."""

        def read(db: sqlite3.Connection) -> Messages:
            _require(db, project, session)
            rows = db.execute("SELECT message FROM messages WHERE session = ? ORDER BY position", (session,))
            return [json.loads(text) for (text,) in rows]

        return await self._read(read)

    async def delete(self, project: str, session: str) -> None:
        """Delete a session and its messages. Raises UsageError (404), and RequestError (409) while a turn holds it."""

        def delete(db: sqlite3.Connection) -> None:
            _refuse_held(session, _require(db, project, session))
            db.execute("DELETE FROM sessions WHERE id = ?", (session,))

        await self.write(delete)

    async def delete_all(self, project: str) -> int:
        """Delete all sessions of a project, or none while a turn holds one; returns how many there were."""

        def delete(db: sqlite3.Connection) -> int:
            rows = db.execute("SELECT id, holder FROM sessions WHERE project = ?", (project,)).fetchall()
            for session, holder in rows:
                _refuse_held(session, holder)
            return db.execute("DELETE FROM sessions WHERE project = ?", (project,)).rowcount

        return await self.write(delete)

    async def _read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        return await anyio.to_thread.run_sync(self._database.run, work, "read")

    async def write(self, work: Callable[[sqlite3.Connection], Result], kind: Kind = "keep") -> Result:
        """What `work` returns, committed. One that is cancelled has been done or not by then, and knows which."""
        writing = asyncio.ensure_future(anyio.to_thread.run_sync(self._database.run, work, kind))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing})
            raise


class StoredSession:
    """One session, as handlers see it, and what the gateway needs around a turn: `hold` and `release`."""

    def __init__(self, store: SessionStore, project: str, session: str) -> None:
        self._store = store
        self._project = project
        self._id = session
        self._token: str | None = None

    @property
    def id(self) -> str:
        return self._id

    async def history(self) -> list[Message]:
        """All messages so far, in order. Raises UsageError (404)."""
        return await self._store.messages(self._project, self._id)

    async def append(self, messages: list[Message]) -> None:
        """Append messages in one transaction. Raises RequestError (409) where this turn does not hold the session."""

        def append(db: sqlite3.Connection) -> None:
            if _require(db, self._project, self._id) != self._token:
                raise _busy(self._id)
            (count,) = db.execute("SELECT count(*) FROM messages WHERE session = ?", (self._id,)).fetchone()
            rows = [(self._id, count + at, json.dumps(message)) for at, message in enumerate(messages)]
            db.executemany("INSERT INTO messages (session, position, message) VALUES (?, ?, ?)", rows)
            db.execute("UPDATE sessions SET updated = ? WHERE id = ?", (time.time(), self._id))

        await self._store.write(append)

    async def hold(self) -> None:
        """Hold it for this turn. Waits for a turn that is about to end; raises RequestError (409) where it goes on."""
        self._token = f"{_this_process(os.getpid())}:{secrets.token_hex(8)}"
        patient_until = time.monotonic() + self._store.patience
        try:
            while not await self._store.write(self._try_hold, "write"):
                if time.monotonic() >= patient_until:
                    raise _busy(self._id)
                await asyncio.sleep(POLL_SECONDS)
        except asyncio.CancelledError:
            await self.release()
            raise

    async def release(self) -> None:
        """Let the next turn have the session; calling twice does nothing."""
        if self._token in _held:
            _held.discard(self._token)
            statement, row = "UPDATE sessions SET holder = NULL WHERE id = ? AND holder = ?", (self._id, self._token)
            await self._store.write(lambda db: db.execute(statement, row), "write")

    async def delete(self) -> None:
        """Release and delete it."""
        await self.release()
        await self._store.delete(self._project, self._id)

    def _try_hold(self, db: sqlite3.Connection) -> bool:
        if _is_held(_require(db, self._project, self._id)):
            return False
        assert self._token is not None
        db.execute("UPDATE sessions SET holder = ? WHERE id = ?", (self._token, self._id))
        _held.add(self._token)
        return True


def _new_id() -> str:
    """Cannot be guessed (128 bits), begins with a letter, and a double click on a terminal selects all of it."""
    rest = (secrets.choice(string.ascii_lowercase + string.digits) for _ in range(24))
    return secrets.choice(string.ascii_lowercase) + "".join(rest)


def _require(db: sqlite3.Connection, project: str, session: str) -> str | None:
    """The holder of a session. Raises UsageError where the project has no such session."""
    row = db.execute("SELECT holder FROM sessions WHERE id = ? AND project = ?", (session, project)).fetchone()
    if row is None:
        raise _unknown(session)
    holder: str | None = row[0]
    return holder


def _refuse_held(session: str, holder: str | None) -> None:
    if _is_held(holder):
        raise _busy(session)


def _is_held(holder: str | None) -> bool:
    """Whether a turn still runs that wrote this holder: one of ours, or any of another living process."""
    if holder is None:
        return False
    process, _, _ = holder.rpartition(":")
    if process == _this_process(os.getpid()):
        return holder in _held
    pid, _, began = process.partition(":")
    return processes.is_running(processes.find(int(pid), float(began)))


@cache
def _this_process(pid: int) -> str:
    return f"{pid}:{processes.created(pid):.2f}"


def _summaries(db: sqlite3.Connection, project: str) -> list[SessionSummary]:
    statement = """
        SELECT id, created, updated, (SELECT count(*) FROM messages WHERE session = id), (
            SELECT message FROM messages
            WHERE session = id AND json_extract(message, '$.role') = 'user' ORDER BY position LIMIT 1
        )
        FROM sessions WHERE project = ? ORDER BY updated DESC, id
    """
    return [
        SessionSummary(key, created, updated, count, _text(json.loads(first)["content"]) or None if first else None)
        for key, created, updated, count, first in db.execute(statement, (project,))
    ]


def _text(content: Any) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def _unknown(session: str) -> UsageError:
    return UsageError(
        f"This project has no session {session!r}.",
        hint="`new` in its place begins one; `lf sessions list` shows those that are kept.",
        code="session_not_found",
    )


def _busy(session: str) -> RequestError:
    return RequestError(
        f"Another turn of the session {session!r} is running.",
        hint="Wait for its answer, or begin another session: `new` in its place.",
        status=409,
        code="session_busy",
    )
