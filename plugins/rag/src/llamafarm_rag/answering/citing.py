"""An answer whose marks are checked while it passes, and what is told of its sources at its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

import llamafarm
from llamafarm.errors import ProviderError

from llamafarm_rag.answering.cited_text import CitedText, checked_texts
from llamafarm_rag.answering.sources import Source, source_rows
from llamafarm_rag.answering.verification import Check, unsupported

_HEAD = ("id", "object", "created", "model", "system_fingerprint", "service_tier")
_JSON_FORMATS = ("json_object", "json_schema")


class CitedAnswer:
    """One answer, with all its choices.

    refusal: what the model is told to say where it finds nothing. check: what cited sentences are verified by; None
    where they are not.
    """

    def __init__(
        self, turn: llamafarm.Turn, sources: Sequence[Source], refusal: str, *, attributes: bool, check: Check | None
    ) -> None:
        self._turn = turn
        self._sources = sources
        self._refusal = refusal
        self._attributes = attributes
        self._check = check
        self._texts: dict[int, CitedText] = {}
        self._open: set[int] = set()

    async def changed(self, chunks: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
        """The chunks of the answer, and one more that tells its sources."""
        head: Mapping[str, Any] = {}
        async for chunk in chunks:
            head = head or {name: chunk[name] for name in _HEAD if name in chunk}
            choices = [self._choice(choice) for choice in chunk.get("choices") or ()]
            yield {**chunk, "choices": choices, **self._beside(chunk)}
        if rest := [choice for index in sorted(self._open) if (choice := self._rest(index))]:
            yield {**head, "choices": rest}
        yield {**head, "choices": [], **await self._told()}

    def _choice(self, choice: Mapping[str, Any]) -> dict[str, Any]:
        """A piece of a choice; only its text is changed."""
        index, last = choice.get("index", 0), choice.get("finish_reason") is not None
        delta = choice.get("delta") or {}
        piece = delta.get("content") or ""
        if not piece and not (last and index in self._open):
            return dict(choice)
        text = self._text(index).change(piece, last=last)
        if last:
            self._open.discard(index)
        return {**choice, "delta": {**delta, "content": text} if text or piece else delta}

    def _beside(self, chunk: Mapping[str, Any]) -> dict[str, Any]:
        """The object that the answer is, where a handler behind has read it: its texts are the answer's."""
        told = chunk.get("llamafarm")
        if not isinstance(told, Mapping) or "object" not in told:
            return {}
        return {"llamafarm": {**told, "object": checked_texts(told["object"], self._sources)}}

    def _rest(self, index: int) -> dict[str, Any] | None:
        """What was held back of a choice that has ended without saying so."""
        text = self._texts[index].change("", last=True)
        return {"index": index, "delta": {"content": text}, "finish_reason": None} if text else None

    def _text(self, index: int) -> CitedText:
        if index not in self._texts:
            wish = self._turn.request.get("response_format") or {}
            is_json = wish.get("type") in _JSON_FORMATS
            self._texts[index] = CitedText(self._sources, attributes=self._attributes, is_json=is_json)
            self._open.add(index)
        return self._texts[index]

    async def _told(self) -> dict[str, Any]:
        """What ends the answer, and the note of it."""
        texts = sorted(self._texts.items())
        cited = {number for _, text in texts for number in text.cited}
        citations: dict[str, Any] = {
            "removed": [{"choice": index, **mark} for index, text in texts for mark in text.removed],
            "added": [{"choice": index, **row} for index, text in texts for row in text.added],
            "uncited": [{"choice": index, **row} for index, text in texts for row in self._uncited(text)],
            "unsupported": [],
        }
        if self._check is not None:
            citations |= await self._verified(self._check, texts)
        counts = {name: len(rows) for name, rows in citations.items() if isinstance(rows, list)}
        self._turn.note("rag", cited=sorted(cited), **counts)
        return {"sources": source_rows(self._sources, cited), "citations": citations}

    def _uncited(self, text: CitedText) -> list[dict[str, Any]]:
        """What a choice states without a source; the refusal needs none."""
        return [row for row in text.uncited if row["sentence"] not in self._refusal]

    async def _verified(self, check: Check, texts: Sequence[tuple[int, CitedText]]) -> dict[str, Any]:
        """The sentences that are not supported. The answer is there: what fails here is told beside it."""
        try:
            return {
                "unsupported": [
                    {"choice": index, **row}
                    for index, text in texts
                    for row in await unsupported(text.sentences, self._sources, check)
                ]
            }
        except ProviderError as error:
            return {"problem": f"The sentences could not be checked. {error.message}"}
