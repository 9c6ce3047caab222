"""One conversation that is kept, and the turn that holds it.

The row of a session names its holder, so that two turns at once, in one process or in two, cannot mix their messages. A
holder whose process has died, by `kill -9` for instance, holds nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sqlite3
import time
from functools import cache
from typing import TYPE_CHECKING

from llamafarm.errors import RequestError, UsageError
from llamafarm.services import processes
from llamafarm.wire.chat import Message

if TYPE_CHECKING:
    from llamafarm.sessions.project import ProjectSessions

POLL_SECONDS = 0.02

_held: set[str] = set()
"""The tokens of this process's turns, whichever store they go through."""


class StoredSession:
    """One session, as handlers see it, and what the gateway needs around a turn: `hold` and `release`."""

    def __init__(self, project: ProjectSessions, session: str) -> None:
        self._project = project
        self.id = session
        self._token: str | None = None

    async def history(self) -> list[Message]:
        """All messages so far, in order. Raises UsageError (404)."""
        return await self._project.messages(self.id)

    async def append(self, messages: list[Message]) -> None:
        """Append messages in one transaction. Raises RequestError (409) where this turn does not hold the session."""

        def append(db: sqlite3.Connection) -> None:
            if holder_of(db, self._project.place, self.id) != self._token:
                raise busy(self.id)
            (count,) = db.execute("SELECT count(*) FROM messages WHERE session = ?", (self.id,)).fetchone()
            rows = [(self.id, count + at, json.dumps(message)) for at, message in enumerate(messages)]
            db.executemany("INSERT INTO messages (session, position, message) VALUES (?, ?, ?)", rows)
            db.execute("UPDATE sessions SET updated = ? WHERE id = ?", (time.time(), self.id))

        await self._project.store.write(append)

    async def hold(self) -> None:
        """Hold it for this turn. Waits for a turn that is about to end; raises RequestError (409) where it goes on."""
        self._token = f"{_this_process(os.getpid())}:{secrets.token_hex(8)}"
        patient_until = time.monotonic() + self._project.store.patience
        try:
            while not await self._project.store.write(self._try_hold, keep=False):
                if time.monotonic() >= patient_until:
                    raise busy(self.id)
                await asyncio.sleep(POLL_SECONDS)
        except asyncio.CancelledError:
            await self.release()
            raise

    async def release(self) -> None:
        """Let the next turn have the session; calling twice does nothing."""
        if self._token in _held:
            _held.discard(self._token)
            statement, row = "UPDATE sessions SET holder = NULL WHERE id = ? AND holder = ?", (self.id, self._token)
            await self._project.store.write(lambda db: db.execute(statement, row), keep=False)

    async def delete(self) -> None:
        """Release and delete it."""
        await self.release()
        await self._project.delete(self.id)

    def _try_hold(self, db: sqlite3.Connection) -> bool:
        if is_held(holder_of(db, self._project.place, self.id)):
            return False
        assert self._token is not None
        db.execute("UPDATE sessions SET holder = ? WHERE id = ?", (self._token, self.id))
        _held.add(self._token)
        return True


def holder_of(db: sqlite3.Connection, project: str, session: str) -> str | None:
    """The holder of a session. Raises UsageError where the project has no such session."""
    row = db.execute("SELECT holder FROM sessions WHERE id = ? AND project = ?", (session, project)).fetchone()
    if row is None:
        raise unknown(session)
    holder: str | None = row[0]
    return holder


def refuse_held(session: str, holder: str | None) -> None:
    if is_held(holder):
        raise busy(session)


def is_held(holder: str | None) -> bool:
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


def unknown(session: str) -> UsageError:
    return UsageError(
        f"This project has no session {session!r}.",
        hint="`new` in its place begins one; `lf sessions list` shows those that are kept.",
        code="session_not_found",
    )


def busy(session: str) -> RequestError:
    return RequestError(
        f"Another turn of the session {session!r} is running.",
        hint="Wait for its answer, or begin another session: `new` in its place.",
        status=409,
        code="session_busy",
    )
