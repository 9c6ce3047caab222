"""What is embedded above the text of a chunk: the document's title and the headings, as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llamafarm_rag.chunking.units import CountTokens
from llamafarm_rag.documents.document import Document

Heading = tuple[str, ...]
_SEPARATOR = " > "
_EDGE_TOKENS = 2
"""What the empty line below a context may be to a tokenizer."""


@dataclass(frozen=True, slots=True)
class Context:
    """A line of title and headings. cost: in tokens, with what stands between it and the text."""

    text: str = ""
    cost: int = 0


async def contexts_of(document: Document, count_tokens: CountTokens, most: int) -> dict[Heading, Context]:
    """The context for each heading of a document, and for all those above it, of about `most` tokens at the most.

    Where that is too little, the outermost headings are left out, and then the innermost is shortened.
    """
    paths = {path: _names(path, document.title) for path in _paths(document)}
    names = sorted({name for above in paths.values() for name in above})
    costs = dict(zip(names, await count_tokens(names) if names else [], strict=True))
    texts = {path: _fitting(above, costs, most) for path, above in paths.items()}
    distinct = sorted(set(texts.values()) - {""})
    counted = dict(zip(distinct, await count_tokens(distinct) if distinct else [], strict=True))
    return {path: _context(text, counted.get(text, 0), most) for path, text in texts.items()}


def _context(text: str, tokens: int, most: int) -> Context:
    if not text or tokens > most + _EDGE_TOKENS:  # one that cannot be shortened in proportion
        return Context()
    return Context(text, tokens + _EDGE_TOKENS)


def _paths(document: Document) -> set[Heading]:
    headings = {block.heading for block in document.blocks}
    return {heading[:depth] for heading in headings for depth in range(len(heading) + 1)}


def _names(path: Heading, title: str | None) -> list[str]:
    """What stands above a text; a title that the first heading says, too, is not said twice."""
    above = [" ".join(name.split()) for name in (title or "", *path)]
    if len(above) > 1 and above[0].casefold() in above[1].casefold():
        del above[0]
    return [name for name in above if name]


def _fitting(above: Sequence[str], costs: dict[str, int], most: int) -> str:
    kept = list(above)
    while len(kept) > 1 and sum(costs[name] + 1 for name in kept) > most:
        del kept[0]
    if kept and costs[kept[0]] > most:
        return _shortened(kept[0], most / costs[kept[0]])
    return _SEPARATOR.join(kept)


def _shortened(name: str, share: float) -> str:
    """The beginning of a name, up to a word's end where there is one."""
    beginning = name[: int(len(name) * share) - 1]
    return f"{beginning.rpartition(' ')[0] or beginning}…" if beginning else ""
