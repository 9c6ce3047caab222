"""The conversations of one project."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import string
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamafarm.errors import UsageError
from llamafarm.sessions.session import StoredSession, holder_of, refuse_held, unknown
from llamafarm.wire.chat import Message

if TYPE_CHECKING:
    from llamafarm.sessions.store import SessionStore


@dataclass(frozen=True)
class SessionSummary:
    """created, updated: seconds since 1970. count: messages. title: the first text that the user wrote."""

    id: str
    created: float
    updated: float
    count: int
    title: str | None


Messages = list[Message]  # `list` is a method below


class ProjectSessions:
    """What the store keeps for one project. place: `Project.identity`."""

    def __init__(self, store: SessionStore, place: str) -> None:
        self.store = store
        self.place = place

    async def create(self) -> StoredSession:
        """A new, empty session."""
        session = _new_id()
        now = time.time()
        row = (session, self.place, now, now)
        statement = "INSERT INTO sessions (id, project, created, updated) VALUES (?, ?, ?, ?)"
        try:
            await self.store.write(lambda db: db.execute(statement, row))
        except asyncio.CancelledError:
            await self.delete(session)  # nobody will ever know its id
            raise
        return StoredSession(self, session)

    async def open(self, session: str) -> StoredSession:
        """An existing session. Raises UsageError (404) for one that this project does not have."""
        await self.store.read(lambda db: holder_of(db, self.place, session))
        return StoredSession(self, session)

    async def find(self, beginning: str) -> str:
        """The id of the one session that begins so, or is called so. Raises UsageError (404, 400)."""
        statement = "SELECT id FROM sessions WHERE project = ? AND substr(id, 1, ?) = ?"
        asked = (self.place, len(beginning), beginning)
        found = [key for (key,) in await self.store.read(lambda db: db.execute(statement, asked).fetchall())]
        if not beginning or not found:
            raise unknown(beginning)
        if len(found) > 1 and beginning not in found:
            message = f"{len(found)} sessions of this project begin with {beginning!r}."
            raise UsageError(message, hint="Give more of the id: `lf sessions list` shows them.", status=400)
        return beginning if beginning in found else found[0]

    async def messages(self, session: str) -> Messages:
        """All messages of a session, in order. Raises UsageError (404)."""

        def read(db: sqlite3.Connection) -> Messages:
            holder_of(db, self.place, session)
            rows = db.execute("SELECT message FROM messages WHERE session = ? ORDER BY position", (session,))
            return [json.loads(text) for (text,) in rows]

        return await self.store.read(read)

    async def delete(self, session: str) -> None:
        """Delete a session and its messages. Raises UsageError (404), and RequestError (409) while a turn holds it."""

        def delete(db: sqlite3.Connection) -> None:
            refuse_held(session, holder_of(db, self.place, session))
            db.execute("DELETE FROM sessions WHERE id = ?", (session,))

        await self.store.write(delete)

    async def delete_all(self) -> int:
        """Delete all sessions, or none while a turn holds one; returns how many there were."""

        def delete(db: sqlite3.Connection) -> int:
            rows = db.execute("SELECT id, holder FROM sessions WHERE project = ?", (self.place,)).fetchall()
            for session, holder in rows:
                refuse_held(session, holder)
            return db.execute("DELETE FROM sessions WHERE project = ?", (self.place,)).rowcount

        return await self.store.write(delete)

    async def list(self) -> list[SessionSummary]:
        """The sessions, the latest first."""
        return await self.store.read(lambda db: _summaries(db, self.place))


def _new_id() -> str:
    """Cannot be guessed (128 bits), begins with a letter, and a double click on a terminal selects all of it."""
    rest = (secrets.choice(string.ascii_lowercase + string.digits) for _ in range(24))
    return secrets.choice(string.ascii_lowercase) + "".join(rest)


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
