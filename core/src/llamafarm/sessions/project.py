"""The sessions of one project."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llamafarm.sessions.store import Messages, SessionStore, Summaries


class ProjectSessions:
    """What `SessionStore` keeps for one project. project: its place."""

    def __init__(self, store: SessionStore, project: str) -> None:
        self._store = store
        self._project = project

    async def list(self) -> Summaries:
        """The sessions, the latest first."""
        return await self._store.list(self._project)

    async def find(self, beginning: str) -> str:
        """The id of the one session that begins so. Raises UsageError for none, and for several."""
        return await self._store.find(self._project, beginning)

    async def messages(self, session: str) -> Messages:
        """All messages of a session, in order. Raises UsageError for one that is not kept."""
        return await self._store.messages(self._project, session)

    async def delete(self, session: str) -> None:
        """Delete a session. Raises UsageError for one that is not kept, and RequestError while a turn holds it."""
        await self._store.delete(self._project, session)

    async def delete_all(self) -> int:
        """Delete all, or none while a turn holds one; returns how many there were."""
        return await self._store.delete_all(self._project)

    async def adopt(self, name: str) -> int:
        """Take over what was kept under `namespace/name`, as earlier versions did; returns how many there were."""
        return await self._store.adopt(name, self._project)
