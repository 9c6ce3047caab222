"""What was retrieved for a question, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llamafarm_rag.database.passage import Passage


@dataclass(frozen=True)
class Hit:
    """A passage that is used for an answer.

    score: what a threshold is compared with: the cosine similarity (-1 to 1) of question and passage, or the
    reranker's score (0 to 1) where there is one. scores: what each stage gave it, `similarity` (to the nearest of the
    queries), `words`, `fusion`, `queries` (what several queries gave it together), `rerank`; a stage that did not find
    it is absent. places: where it stood in what each search has found, `nearest` and `words`, counted from 1; a search
    that did not find it is absent.
    """

    passage: Passage
    score: float
    scores: Mapping[str, float] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """What one step of a retrieval did: `wordings`, `embed`, `nearest`, `words`, `similarities` or `rerank`.

    milliseconds, found: for all queries together.
    """

    name: str
    milliseconds: float
    found: int


@dataclass(frozen=True)
class Retrieval:
    """What was retrieved.

    hits: the best one first, none below the threshold. below: how many were found and fell below it. queries: what was
    searched for. repeated: how many were left out because they say what a better one says. notes: sentences on what was
    done otherwise than asked.
    """

    database: str
    strategy: str
    queries: tuple[str, ...]
    hits: tuple[Hit, ...]
    below: int = 0
    repeated: int = 0
    stages: tuple[Stage, ...] = ()
    notes: tuple[str, ...] = ()
