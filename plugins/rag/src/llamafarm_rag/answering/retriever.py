"""Who finds the passages for a turn."""

from __future__ import annotations

from typing import Protocol

import llamafarm

from llamafarm_rag.answering.place import Place
from llamafarm_rag.retrieval.question import Question
from llamafarm_rag.retrieval.result import Retrieval


class Retriever(Protocol):
    """What the handler asks. One serves all turns of a model entry, several at once."""

    async def retrieve(self, question: Question, place: Place, turn: llamafarm.Turn) -> Retrieval:
        """The passages for a question. Raises DatabaseError, and what asking a model raises."""

    async def aclose(self) -> None:
        """Let go of what it holds open."""
