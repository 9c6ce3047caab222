"""What is embedded above the text of a chunk: the document's title and the headings, as far as there is room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def context_lines(document: Document) -> dict[Heading, str]:
    """Title and headings on one line, for each heading of a document and for all those above it."""
    headings = {block.heading for block in document.blocks}
    paths = {heading[:depth] for heading in headings for depth in range(len(heading) + 1)}
    return {path: _SEPARATOR.join(_names(path, document.title)) for path in sorted(paths)}


async def contexts_of(
    document: Document, lines: Mapping[Heading, str], counts: Mapping[str, int], count_tokens: CountTokens, most: int
) -> dict[Heading, Context]:
    """The context for each of these headings, of about `most` tokens at the most.

    counts: the tokens of the lines. Where that is too little for one, the outermost headings are left out, and then the
    innermost is shortened.
    """
    long = {path: _names(path, document.title) for path, line in lines.items() if line and counts[line] > most}
    shortened = await _shortened(long, count_tokens, most) if long else {}
    return {
        path: shortened[path]
        if path in shortened
        else Context(line, counts[line] + _EDGE_TOKENS)
        if line
        else Context()
        for path, line in lines.items()
    }


async def _shortened(
    long: Mapping[Heading, Sequence[str]], count_tokens: CountTokens, most: int
) -> dict[Heading, Context]:
    names = sorted({name for above in long.values() for name in above})
    costs = dict(zip(names, await count_tokens(names), strict=True))
    texts = [_fitting(above, costs, most) for above in long.values()]
    counts = await count_tokens(texts)
    return {
        path: Context(text, tokens + _EDGE_TOKENS) if text and tokens <= most + _EDGE_TOKENS else Context()
        for path, text, tokens in zip(long, texts, counts, strict=True)
    }


def _names(path: Heading, title: str | None) -> list[str]:
    """What stands above a text; a title that the first heading says, too, is not said twice."""
    above = [" ".join(name.split()) for name in (title or "", *path)]
    if len(above) > 1 and above[0].casefold() in above[1].casefold():
        del above[0]
    return [name for name in above if name]


def _fitting(above: Sequence[str], costs: Mapping[str, int], most: int) -> str:
    kept = list(above)
    while len(kept) > 1 and sum(costs[name] + 1 for name in kept) > most:
        del kept[0]
    if costs[kept[0]] > most:
        return _beginning(kept[0], most / costs[kept[0]])
    return _SEPARATOR.join(kept)


def _beginning(name: str, share: float) -> str:
    """The beginning of a name, up to a word's end where there is one."""
    beginning = name[: max(0, int(len(name) * share) - 1)]
    return f"{beginning.rpartition(' ')[0] or beginning}…" if beginning else ""
