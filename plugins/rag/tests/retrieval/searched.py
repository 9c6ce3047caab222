"""A small database in memory, an embedder that knows a few concepts, and models that answer as a test says."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from llamafarm.wire import CHAT, RERANK
from llamafarm_kit.testing import ScriptedReply
from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.passage import Match, Passage
from llamafarm_rag.retrieval.question import Question
from llamafarm_rag.retrieval.result import Retrieval
from llamafarm_rag.retrieval.retrieving import retrieve
from llamafarm_rag.store.filters import read_filter

OPTIONS = {
    "name": "barn",
    "type": "ChromaStore",
    "embedding_strategies": [{"name": "e", "type": "ModelEmbedder", "config": {"model": "e"}}],
}


def words_of(text: str) -> set[str]:
    return set(re.findall(r"\w+(?:-\w+)*", text.lower()))


def passage(text: str, *, file: str = "notes.md", number: int = 0, **more: Any) -> Passage:
    """A passage that stands alone in its file, or as the test says."""
    given = {"id": f"{file}:{number}", "dataset": "docs", "start": number * 1000, "end": number * 1000 + len(text)}
    return Passage(text=text, file=file, number=number, **{**given, **more})


def passages(*texts: str) -> list[Passage]:
    """Each in a file of its own: 0.md, 1.md, …"""
    return [passage(text, file=f"{number}.md") for number, text in enumerate(texts)]


class Concepts:
    """Embeds by meaning: words of one group are the same, all others are nothing.

    longest_text: how many words it reads.
    """

    def __init__(self, *groups: str, longest_text: int | None = None) -> None:
        self._axes = {word: axis for axis, group in enumerate(groups) for word in group.split()}
        self._length = len(groups) + 1
        self._longest = longest_text

    async def vectors(self, texts: Sequence[str], purpose: str) -> Any:
        return np.array([self.vector(text) for text in texts], np.float32)

    def vector(self, text: str) -> Any:
        vector = np.zeros(self._length, np.float32)
        vector[-1] = 0.1
        for word in re.findall(r"\w+", text.lower()):
            if word in self._axes:
                vector[self._axes[word]] += 1
        return vector / np.linalg.norm(vector)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def longest(self) -> int | None:
        return self._longest


class MemoryDatabase:
    """The contract of a database that retrieval needs; words are those between blanks and commas."""

    def __init__(
        self, vectors: Sequence[Any], rows: Sequence[Passage], strategies: Sequence[Mapping[str, Any]]
    ) -> None:
        self.options = DatabaseOptions.model_validate({**OPTIONS, "retrieval_strategies": list(strategies)})
        self.rows = list(rows)
        self.asked: list[tuple[str, int]] = []
        self._vectors = {row.id: vector for row, vector in zip(rows, vectors, strict=True)}

    async def nearest(self, vector: Any, limit: int, where: Any = None) -> list[Match]:
        self.asked.append(("nearest", limit))
        found = [Match(row, float(self._vectors[row.id] @ vector)) for row in self._fitting(where)]
        return sorted(found, key=lambda match: -match.score)[:limit]

    async def matching(self, text: str, limit: int, where: Any = None) -> list[Match]:
        self.asked.append(("matching", limit))
        wanted, most = words_of(text), sum(map(self._weight, words_of(text)))
        found = [Match(row, sum(map(self._weight, wanted & words_of(row.text))) / most) for row in self._fitting(where)]
        return sorted((match for match in found if match.score), key=lambda match: -match.score)[:limit]

    async def similarities(self, vector: Any, ids: Sequence[str]) -> dict[str, float]:
        return {id_: float(self._vectors[id_] @ vector) for id_ in ids}

    def _weight(self, word: str) -> float:
        """How much a word says, by how rare it is, as BM25 weighs it."""
        having = sum(word in words_of(row.text) for row in self.rows)
        return math.log(1 + (len(self.rows) - having + 0.5) / (having + 0.5))

    def _fitting(self, where: Any) -> list[Passage]:
        condition = read_filter(where)
        return [row for row in self.rows if condition is None or condition.fits(row)]


@dataclass
class Models:
    """The models of the project. wordings: what a chat answers. relevance: a reranker's score of a text."""

    wordings: str = ""
    relevance: Callable[[str], float | None] = lambda text: 0.5
    asked: list[tuple[Any, Any, str | None]] = field(default_factory=list)

    async def ask(self, operation: Any, request: Any, *, model: str | None = None) -> Any:
        self.asked.append((operation, request, model))
        if operation is CHAT:
            return ScriptedReply(self.wordings)
        assert operation is RERANK
        scores = enumerate(map(self.relevance, request["documents"]))
        return {"results": [{"index": at, "relevance_score": score} for at, score in scores if score is not None]}


@dataclass
class Barn:
    """A database of passages that can be asked by its strategies, the first of which is the default."""

    rows: Sequence[Passage]
    strategies: Sequence[Mapping[str, Any]] = ()
    embedder: Concepts = field(default_factory=Concepts)
    models: Models = field(default_factory=Models)

    def __post_init__(self) -> None:
        vectors = [self.embedder.vector(row.text) for row in self.rows]
        self.database = MemoryDatabase(vectors, self.rows, self.strategies)

    async def find(self, text: str = "", *, strategy: str | None = None, **fields: Any) -> Retrieval:
        options = self.database.options
        chosen = next((each for each in options.strategies if each.name == strategy), options.retrieval)
        question = Question(text, **fields)
        return await retrieve(question, self.database, self.embedder, chosen, self.models.ask)


def similarity(**config: Any) -> dict[str, Any]:
    return {"name": "near", "type": "BasicSimilarityStrategy", "config": config}


def files(retrieval: Retrieval) -> list[str]:
    """Where the hits come from, the best first."""
    return [hit.passage.file for hit in retrieval.hits]
