"""The index of words: which passages share words with a text, by BM25.

It is made from the passages when it is first asked for after a change, and kept on disk, so that the next process need
not make it again. It holds nothing of its own: where its files are missing or cannot be read, it is made anew.
"""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from llamafarm_rag.database.passage import Passage
from llamafarm_rag.database.word_tokens import words

if TYPE_CHECKING:
    import bm25s

FORM = 2
"""Another number where the same passages would give another index: its files are then made anew."""
IDS = "ids.json"
log = logging.getLogger(__name__)


def _bm25s() -> ModuleType:
    """It takes as long to import as all the rest of a short command, and tells every log of each step."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    module: ModuleType = bm25s
    return module


class WordIndex:
    """An index of some passages. scorer: None where they have no words at all."""

    def __init__(self, ids: Sequence[str], scorer: bm25s.BM25 | None) -> None:
        self._ids = ids
        self._scorer = scorer
        self._places = {row: place for place, row in enumerate(ids)}

    @classmethod
    def of(cls, passages: Iterable[Passage]) -> WordIndex:
        """The index of these passages: of their texts, the headings above them, and the names of their files."""
        texts = ((passage.id, [passage.file, *passage.heading, passage.text]) for passage in passages)
        listed = [(row, words(" ".join(parts))) for row, parts in texts]
        ids = [row for row, _ in listed]
        if not any(tokens for _, tokens in listed):
            return cls(ids, None)
        scorer = _bm25s().BM25()
        scorer.index([tokens for _, tokens in listed], show_progress=False)
        return cls(ids, scorer)

    def best(self, text: str, limit: int, among: Collection[str] | None = None) -> list[tuple[str, float]]:
        """The passages that share words with `text`, the best first. among: those that may be found; None for all.

        The score of each is a share, from 0 to 1, of what a passage with all words has: see `Database.matching`.
        """
        tokens = list(dict.fromkeys(words(text)))
        if self._scorer is None or not tokens or limit < 1:
            return []
        scores = np.minimum(self._scorer.get_scores(tokens) / sum(map(self._weight, tokens)), 1)
        if among is not None:
            allowed = np.zeros(len(scores), dtype=bool)
            allowed[[self._places[row] for row in among if row in self._places]] = True
            scores = np.where(allowed, scores, 0)
        best = np.argpartition(-scores, limit)[:limit] if limit < len(scores) else np.arange(len(scores))
        best = best[np.lexsort((best, -scores[best]))]
        return [(self._ids[place], float(scores[place])) for place in best if scores[place] > 0]

    def _weight(self, token: str) -> float:
        """What a word adds to the score of a passage of usual length that has it once.

        More, the fewer passages have it (BM25's idf).
        """
        assert self._scorer is not None
        place = self._scorer.vocab_dict.get(token)
        bounds = self._scorer.scores["indptr"]
        having = 0 if place is None else int(bounds[place + 1] - bounds[place])
        return math.log(1 + (len(self._ids) - having + 0.5) / (having + 0.5)) / (1 + float(self._scorer.k1))

    def save(self, folder: Path) -> None:
        """Write it to a new folder."""
        folder.mkdir(parents=True)
        (folder / IDS).write_text(json.dumps(self._ids), encoding="utf-8")
        if self._scorer is not None:
            self._scorer.save(folder / "bm25", show_progress=False)

    @classmethod
    def load(cls, folder: Path) -> WordIndex:
        """Read it. Raises OSError, ValueError, KeyError or TypeError where that cannot be done."""
        ids = json.loads((folder / IDS).read_text(encoding="utf-8"))
        kept = folder / "bm25"
        scorer = _bm25s().BM25.load(kept, load_corpus=False) if kept.is_dir() else None
        if scorer is not None and scorer.scores["num_docs"] != len(ids):
            raise ValueError("it is of other passages")
        return cls(ids, scorer)


class Words:
    """The index of a database as it is now. folder: where it is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state: str | None = None
        self._index: WordIndex | None = None

    def index(self, state: str, passages: Callable[[], Iterable[Passage]]) -> WordIndex:
        """The index of the passages. state: another one after each change of them."""
        if self._index is None or self._state != state:
            name = f"{FORM}-{state}"
            self._index = self._kept(name) or self._made(name, passages())
            self._state = state
        return self._index

    def forget(self) -> None:
        """Delete what is kept."""
        self._index = self._state = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _kept(self, name: str) -> WordIndex | None:
        if not (self._folder / name).is_dir():
            return None
        try:
            return WordIndex.load(self._folder / name)
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            log.warning("The index of words in %s is made anew, it cannot be read: %s", self._folder, error)
            return None

    def _made(self, name: str, passages: Iterable[Passage]) -> WordIndex:
        index = WordIndex.of(passages)
        self.forget()
        fresh = self._folder / f"{name}.new"
        try:
            index.save(fresh)
            fresh.rename(self._folder / name)
        except OSError as error:  # the next process makes it again
            log.warning("The index of words cannot be kept in %s: %s", self._folder, error)
        return index
