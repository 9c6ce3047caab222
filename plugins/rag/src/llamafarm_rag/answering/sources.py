"""The passages that an answer is made from, numbered as its marks name them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from llamafarm_rag.retrieval.result import Hit


@dataclass(frozen=True)
class Source:
    """A passage in the context of an answer. number: counted from 1. text: what the model is shown of the passage."""

    number: int
    hit: Hit
    text: str

    @property
    def readable(self) -> str:
        """What it says, with where it stands: what a sentence may lean on."""
        passage = self.hit.passage
        return "\n".join([passage.file, *passage.heading, self.text])


def numbered(hits: Iterable[Hit]) -> list[Source]:
    """Hits as sources, whole, in their order."""
    return [Source(number, hit, hit.passage.text) for number, hit in enumerate(hits, 1)]


def source_rows(sources: Sequence[Source], cited: Collection[int]) -> list[dict[str, Any]]:
    """What an answer tells of its sources, as JSON. cited: the numbers that its marks name."""
    return [_row(source, is_cited=source.number in cited) for source in sources]


def _row(source: Source, *, is_cited: bool) -> dict[str, Any]:
    passage = source.hit.passage
    return {
        "number": source.number,
        "file": passage.file,
        "dataset": passage.dataset,
        "page": passage.page,
        "heading": list(passage.heading),
        "start": passage.start,
        "end": passage.start + len(source.text),
        "score": source.hit.score,
        "text": source.text,
        "cited": is_cited,
    }
