"""The databases of a project as the handler searches them: each opened when it is first asked, and once."""

from __future__ import annotations

import asyncio

import llamafarm

from llamafarm_rag.answering.place import Place
from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.opened import OpenedDatabase
from llamafarm_rag.database.opening import open_database
from llamafarm_rag.embedding.asking import ModelEmbedder, embedder_of
from llamafarm_rag.library import is_made_with
from llamafarm_rag.retrieval.question import Question
from llamafarm_rag.retrieval.result import Retrieval
from llamafarm_rag.retrieval.retrieving import retrieve


class ProjectDatabases:
    """A `Retriever` for one project; it holds open what it has opened until `aclose`."""

    def __init__(self) -> None:
        self._opened: dict[str, OpenedDatabase] = {}
        self._checked: set[str] = set()
        self._opening = asyncio.Lock()

    async def retrieve(self, question: Question, place: Place, turn: llamafarm.Turn) -> Retrieval:
        """See `Retriever`. Raises DatabaseError where the database has vectors of another model, or none."""
        embedder = embedder_of(turn.project, place.database, turn)
        database = await self._database(turn.project, place.database, embedder)
        return await retrieve(question, database, embedder, place.strategy, turn.ask)

    async def aclose(self) -> None:
        """See `Retriever`."""
        opened, self._opened = self._opened, {}
        for database in opened.values():
            await database.aclose()

    async def _database(
        self, project: llamafarm.Project, options: DatabaseOptions, embedder: ModelEmbedder
    ) -> OpenedDatabase:
        async with self._opening:
            if options.name not in self._opened:
                self._opened[options.name] = await open_database(project, options)
                await self._opened[options.name].prepare()
            database = self._opened[options.name]
            if options.name not in self._checked and await is_made_with(database, embedder):
                self._checked.add(options.name)
            return database
