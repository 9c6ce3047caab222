"""Conversations that are kept: a SQLite file, safe for several processes of one machine.

A turn holds its session: the row names the holder, so that two turns at once, in one process or in two, cannot mix
their messages. A holder whose process has died, by `kill -9` for instance, holds nothing. What has been appended is on
disk when `append` returns.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread

from llamafarm.errors import RequestError, UsageError
from llamafarm.sessions.database import Database, Kind
from llamafarm.sessions.processes import lives, this_process
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
    """The sessions of all projects. project: `namespace/name`; a session is only found by its own project's key."""

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        self._database = Database(path)
        self.patience = patience

    async def create(self, project: str) -> StoredSession:
        """A new, empty session."""
        session = secrets.token_urlsafe(18)
        now = time.time()
        row = (session, project, now, now)
        statement = "INSERT INTO sessions (id, project, created, updated) VALUES (?, ?, ?, ?)"
        try:
            await self._write(lambda db: db.execute(statement, row))
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
            self._refuse_held(session, _require(db, project, session))
            db.execute("DELETE FROM sessions WHERE id = ?", (session,))

        await self._write(delete)

    async def delete_all(self, project: str) -> int:
        """Delete all sessions of a project, or none while a turn holds one; returns how many there were."""

        def delete(db: sqlite3.Connection) -> int:
            rows = db.execute("SELECT id, holder FROM sessions WHERE project = ?", (project,)).fetchall()
            for session, holder in rows:
                self._refuse_held(session, holder)
            return db.execute("DELETE FROM sessions WHERE project = ?", (project,)).rowcount

        return await self._write(delete)

    async def hold(self, project: str, session: str) -> str:
        """Hold a session for one turn; returns the token that `release` takes.

        Waits for a turn that is about to end. Raises RequestError (409) where that one goes on.
        """
        token = f"{this_process()}:{secrets.token_hex(8)}"
        patient_until = time.monotonic() + self.patience
        try:
            while not await self._write(lambda db: self._try_hold(db, project, session, token), "write"):
                if time.monotonic() >= patient_until:
                    raise _busy(session)
                await asyncio.sleep(POLL_SECONDS)
        except asyncio.CancelledError:
            await self.release(session, token)
            raise
        return token

    async def release(self, session: str, token: str) -> None:
        """Let the next turn have the session; calling twice does nothing."""
        if token in _held:
            _held.discard(token)
            statement = "UPDATE sessions SET holder = NULL WHERE id = ? AND holder = ?"
            await self._write(lambda db: db.execute(statement, (session, token)), "write")

    async def append(self, project: str, session: str, messages: Messages, token: str | None) -> None:
        """Append messages in one transaction. Raises RequestError (409) where somebody else holds the session."""

        def append(db: sqlite3.Connection) -> None:
            if _require(db, project, session) != token:
                raise _busy(session)
            (count,) = db.execute("SELECT count(*) FROM messages WHERE session = ?", (session,)).fetchone()
            rows = [(session, count + at, json.dumps(message)) for at, message in enumerate(messages)]
            db.executemany("INSERT INTO messages (session, position, message) VALUES (?, ?, ?)", rows)
            db.execute("UPDATE sessions SET updated = ? WHERE id = ?", (time.time(), session))

        await self._write(append)

    def _try_hold(self, db: sqlite3.Connection, project: str, session: str, token: str) -> bool:
        if self._is_alive(_require(db, project, session)):
            return False
        db.execute("UPDATE sessions SET holder = ? WHERE id = ?", (token, session))
        _held.add(token)
        return True

    def _refuse_held(self, session: str, holder: str | None) -> None:
        if self._is_alive(holder):
            raise _busy(session)

    def _is_alive(self, holder: str | None) -> bool:
        """Whether a turn still runs that wrote this holder: one of ours, or any of another living process."""
        if holder is None:
            return False
        process = holder.rpartition(":")[0]
        return holder in _held if process == this_process() else lives(process)

    async def _read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        return await anyio.to_thread.run_sync(self._database.run, work, "read")

    async def _write(self, work: Callable[[sqlite3.Connection], Result], kind: Kind = "keep") -> Result:
        writing = asyncio.ensure_future(anyio.to_thread.run_sync(self._database.run, work, kind))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing})  # a turn that is cancelled here must know whether it holds the session
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
        return await self._store.messages(self._project, self._id)

    async def append(self, messages: list[Message]) -> None:
        await self._store.append(self._project, self._id, messages, self._token)

    async def hold(self) -> None:
        """Hold it for this turn. Raises RequestError (409, `session_busy`)."""
        self._token = await self._store.hold(self._project, self._id)

    async def release(self) -> None:
        if self._token is not None:
            await self._store.release(self._id, self._token)

    async def delete(self) -> None:
        """Release and delete it."""
        await self.release()
        await self._store.delete(self._project, self._id)


def _require(db: sqlite3.Connection, project: str, session: str) -> str | None:
    """The holder of a session. Raises UsageError where the project has no such session."""
    row = db.execute("SELECT holder FROM sessions WHERE id = ? AND project = ?", (session, project)).fetchone()
    if row is None:
        raise UsageError(
            f"There is no session {session!r} in {project}.",
            hint="`X-Session-ID: new` begins one; `lf sessions list` shows those that are kept.",
            code="session_not_found",
        )
    holder: str | None = row[0]
    return holder


def _summaries(db: sqlite3.Connection, project: str) -> list[SessionSummary]:
    statement = """
        SELECT id, created, updated, (SELECT count(*) FROM messages WHERE session = id)
        FROM sessions WHERE project = ? ORDER BY updated DESC, id
    """
    rows = db.execute(statement, (project,)).fetchall()
    return [SessionSummary(key, created, updated, count, _title(db, key)) for key, created, updated, count in rows]


def _title(db: sqlite3.Connection, session: str) -> str | None:
    statement = "SELECT message FROM messages WHERE session = ? ORDER BY position"
    messages = (json.loads(text) for (text,) in db.execute(statement, (session,)))
    return next(
        (text for message in messages if message["role"] == "user" and (text := _text(message["content"]))), None
    )


def _text(content: Any) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def _busy(session: str) -> RequestError:
    return RequestError(
        f"Another turn of the session {session!r} is running.",
        hint="Wait for its answer, or begin another session with `X-Session-ID: new`.",
        status=409,
        code="session_busy",
    )
