"""A database of this process, whoever holds it: this process while the lock is free, else the one that has it.

All of it happens in one thread of its own, so that neither SQLite nor a store is asked twice at a time, and no event
loop waits for a disk. Where the holder goes away in the middle, the next who asks becomes the holder and asks again:
every operation may be done twice.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.blocking import BlockingDatabase
from llamafarm_rag.database.local import LocalDatabase
from llamafarm_rag.database.lock import DatabaseLock
from llamafarm_rag.database.remote import HolderGone, RemoteDatabase
from llamafarm_rag.database.server import DatabaseServer
from llamafarm_rag.errors import DatabaseError

PATIENCE_SECONDS = 30.0
"""How long a process that has the lock may take to say how it is reached."""
POLL_SECONDS = 0.02


class Holding:
    """One database, opened. Raises DatabaseError where that cannot be done."""

    def __init__(self, options: DatabaseOptions, folder: Path) -> None:
        self._options = options
        self._lock = DatabaseLock(folder)
        self._folder = folder
        self._server: DatabaseServer | None = None
        self._database: BlockingDatabase | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="llamafarm-database")
        try:
            self._thread.submit(self._reach).result()
        except BaseException:
            self._thread.shutdown()
            raise

    async def ask(self, operation: str, *arguments: Any) -> Any:
        """Do an operation of BlockingDatabase. One that has begun goes on when nobody waits for it any more."""
        return await asyncio.wrap_future(self._thread.submit(self._asked, operation, arguments))

    def ask_now(self, operation: str, *arguments: Any) -> Any:
        """Do an operation, for a thread that may wait."""
        return self._thread.submit(self._asked, operation, arguments).result()

    @property
    def is_holder(self) -> bool:
        """Whether this process holds the database."""
        return self._server is not None

    def close(self) -> None:
        """Close the database, and let another process hold it. Not from a thread that it would wait for."""
        if self._server is not None:
            self._lock.withdraw()
            self._server.stop()
        try:
            self._thread.submit(self._let_go).result()
        finally:
            self._thread.shutdown()

    def _asked(self, operation: str, arguments: tuple[Any, ...]) -> Any:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return getattr(self._reach(), operation)(*arguments)
            except HolderGone:
                self._let_go()
                if time.monotonic() > end:
                    raise self._held() from None

    def _served(self, operation: str, arguments: list[Any]) -> Future[Any]:
        """What other processes ask for; it waits until the database is opened."""
        return self._thread.submit(lambda: getattr(self._reach(), operation)(*arguments))

    def _reach(self) -> BlockingDatabase:
        """The database, from here or from its holder."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self._database is None:
            if self._lock.try_acquire():
                self._hold()
            elif (remote := self._remote()) is not None:
                self._database = remote
            elif time.monotonic() > end:
                raise self._held()
            else:
                time.sleep(POLL_SECONDS)
        return self._database

    def _hold(self) -> None:
        """Others are served before the database is open, which may take a while, and then wait for it."""
        try:
            self._server = DatabaseServer(self._served)
            self._lock.announce(self._server.holder)
            self._database = LocalDatabase(self._options, self._folder)
        except BaseException:
            self._lock.withdraw()
            if self._server is not None:
                self._server.stop()
            self._let_go()
            raise

    def _remote(self) -> RemoteDatabase | None:
        """The holder's database; None while nobody answers for it."""
        holder = self._lock.holder()
        if holder is None:
            return None
        remote = RemoteDatabase(holder)
        with suppress(HolderGone):
            remote.ping()
            return remote
        remote.close()
        return None

    def _let_go(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()
        if not isinstance(database, RemoteDatabase):
            self._server = None
            self._lock.release()

    def _held(self) -> DatabaseError:
        holder = self._lock.holder()
        by = f"process {holder.pid}" if holder else "another process"
        return DatabaseError(
            f"The database {self._options.name!r} is held by {by}, which does not answer.",
            hint=f"End that process, then try again. The lock is {self._folder / 'lock'}.",
            code="database_held",
        )
