"""A document cut into chunks, none of them longer than what the embedder reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from llamafarm_rag.chunking.chunk import Chunk, embedded_text
from llamafarm_rag.chunking.contexts import Context, Heading, context_lines, contexts_of
from llamafarm_rag.chunking.packing import Packer, Run
from llamafarm_rag.chunking.units import CountTokens, Unit, fitting, parts_of, sentences_of
from llamafarm_rag.documents.document import Document

_CONTEXT_SHARE = 4
"""Title and headings take no more than this part of a chunk."""
_DOUBT_SHARE = 16
"""Chunks that are filled to within this part of their size are counted as a whole."""


async def cut(document: Document, count_tokens: CountTokens, size: int, overlap: int) -> list[Chunk]:
    """The chunks of a document, in their order.

    What is embedded of each is at most `size` tokens, as `count_tokens` counts; up to `overlap` tokens of whole
    sentences are repeated at the beginning of the next one. Together they hold all text of the document's blocks.
    """
    sentences = await asyncio.to_thread(sentences_of, document)
    if not sentences:
        return []
    lines = context_lines(document)
    distinct = sorted(set(lines.values()) - {""})
    counts = await count_tokens([*distinct, *(part.text(document) for part in sentences)])
    known = dict(zip(distinct, counts, strict=False))
    contexts = await contexts_of(document, lines, known, count_tokens, size // _CONTEXT_SHARE)
    packer = Packer(contexts, size, overlap)
    units = [part.unit(tokens) for part, tokens in zip(sentences, counts[len(distinct) :], strict=True)]
    units = await fitting(document, units, count_tokens, lambda block: packer.room(block.heading))
    runs = await asyncio.to_thread(lambda: list(packer.runs(document.blocks, units)))
    runs = await _shortened(document.text, runs, contexts, count_tokens, size)
    return [_chunk(document.text, run, contexts) for run in runs]


async def _shortened(
    text: str, runs: Sequence[Run], contexts: Mapping[Heading, Context], count_tokens: CountTokens, size: int
) -> list[Run]:
    """The runs with those that are too long in parts.

    Tokens of sentences do not add up exactly: to some tokenizers, what stands between two is a token of its own. So the
    runs that are nearly full are counted once more, each as a whole.
    """
    whole = {id(run) for run in runs if _most_tokens(run, contexts) <= size - size // _DOUBT_SHARE}
    pending = list(runs)
    while unsure := [run for run in pending if id(run) not in whole]:
        texts = [embedded_text(contexts[run.heading].text, text[run.start : run.end]) for run in unsure]
        counts = zip(unsure, await count_tokens(texts), strict=True)
        whole |= {id(run) for run, tokens in counts if tokens <= size or run.end - run.start == 1}
        pending = [part for run in pending for part in ([run] if id(run) in whole else _halves(text, run))]
    return pending


def _most_tokens(run: Run, contexts: Mapping[Heading, Context]) -> int:
    """How many tokens a run has where every character between its units is one."""
    between = run.end - run.start - sum(unit.end - unit.start for unit in run.units)
    return contexts[run.heading].cost + run.cost + between


def _halves(text: str, run: Run) -> Iterator[Run]:
    """A run without what it repeats, or else in two parts, or else the parts of its only unit."""
    if run.repeated:
        parts = [run.units[run.repeated :]]
    elif len(run.units) > 1:
        middle = len(run.units) // 2
        parts = [run.units[:middle], run.units[middle:]]
    else:
        unit = run.units[0]
        parts = [[Unit(start, end, unit.block, unit.cost, is_whole=False)] for start, end in parts_of(text, unit, 2)]
    yield from (Run(run.heading, run.page, units) for units in parts)


def _chunk(text: str, run: Run, contexts: Mapping[Heading, Context]) -> Chunk:
    start, end = run.start, run.end
    return Chunk(text[start:end], start, end, run.page, run.heading, contexts[run.heading].text)
