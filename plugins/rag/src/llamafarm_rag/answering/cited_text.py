"""The text of one choice of an answer on its way to the reader: its marks checked, and sentences attributed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llamafarm_rag.answering.json_strings import JsonStrings
from llamafarm_rag.answering.marks import MarkReader, Segment
from llamafarm_rag.answering.sentences import Sentence, SentenceReader
from llamafarm_rag.answering.sources import Source
from llamafarm_rag.answering.support import FEWEST_WORDS, content_words, support

_UNATTRIBUTED = ("#", "|", ">", "```", "~~~")
"""What headings, tables, quotations and blocks of code begin with."""

_MOST_BLANKS = 1000
"""More of them before an answer begins say that it is prose, in characters."""


class CitedText:
    """Prose, or JSON, in whose texts marks may stand.

    Every mark that leaves it is `[n]`, of a source in the context; a mark of another is taken out, and the blank before
    it. Nothing else is changed, but that sentences without a mark get that of the source that clearly supports them.

    removed: the marks that were taken out, and where they would stand, as JSON. cited: the numbers of those that are
    there.
    """

    def __init__(self, sources: Sequence[Source], *, attributes: bool, is_json: bool = False) -> None:
        self.removed: list[dict[str, Any]] = []
        self.cited: set[int] = set()
        self._sources = {source.number: source for source in sources}
        self._attributes = attributes
        self._is_json: bool | None = is_json or None
        self._begun = ""
        self._sent = 0
        self._marks = MarkReader(self._sources)
        self._sentences = SentenceReader(self._attributed)
        self._strings = JsonStrings()

    @property
    def sentences(self) -> list[Sentence]:
        """Those that have ended; JSON has none."""
        return self._sentences.sentences

    @property
    def added(self) -> list[dict[str, Any]]:
        """The marks that attribution has added: the sentences, with their places, as JSON."""
        return [
            {"sentence": each.text, "start": each.start, "end": each.end, "numbers": list(each.added)}
            for each in self.sentences
            if each.added
        ]

    @property
    def uncited(self) -> list[dict[str, Any]]:
        """The sentences that state something and cite nothing, with their places, as JSON."""
        return [
            {"sentence": each.text, "start": each.start, "end": each.end}
            for each in self.sentences
            if not each.numbers and _states_something(each.text) and content_words(each.text) >= FEWEST_WORDS
        ]

    def change(self, piece: str, *, last: bool) -> str:
        """What is sent of what was held back and of the next piece."""
        if self._is_json is None:
            self._begun += piece
            self._is_json = _begins_json(self._begun)
            if self._is_json is None and not last and len(self._begun) < _MOST_BLANKS:
                return ""
            piece, self._begun = self._begun, ""
        sent = self._json(piece, last=last) if self._is_json else self._prose(piece, last=last)
        self._sent += len(sent)
        return sent

    def _prose(self, piece: str, *, last: bool) -> str:
        sent = ""
        for segment in self._marks.read(piece, last=last):
            if segment.kind == "mark":
                self._note(segment, self._sentences.place)
                sent += self._marked(segment)
            elif segment.kind == "code":
                sent += self._sentences.code(segment.text)
            else:
                sent += self._sentences.prose(segment.text)
        return sent + (self._sentences.end() if last else "")

    def _json(self, piece: str, *, last: bool) -> str:
        """Marks stand in strings alone: outside of them, `[1, 2]` is an array."""
        sent = ""
        for part, in_string, ends in self._strings.read(piece):
            if not in_string:
                sent += part
                continue
            for segment in self._marks.read(part, last=ends or last):
                self._note(segment, self._sent + len(sent))
                sent += segment.checked if segment.kind == "mark" else segment.text
            if ends:
                self._marks = MarkReader(self._sources)
        return sent

    def _marked(self, mark: Segment) -> str:
        if mark.kept:
            return self._sentences.mark(mark.checked, mark.kept)
        return self._sentences.prose(mark.checked)

    def _note(self, segment: Segment, at: int) -> None:
        """Remember what a mark cites, and what of it is taken out."""
        self.cited.update(segment.kept)
        if segment.kept != segment.numbers:
            removed = [number for number in segment.numbers if number not in segment.kept]
            self.removed.append({"mark": segment.text, "numbers": removed, "at": at})

    def _attributed(self, text: str, numbers: tuple[int, ...]) -> tuple[int, ...]:
        """The source that clearly supports a sentence without a mark: the first of the best."""
        if numbers or not self._attributes or not _states_something(text):
            return ()
        measured = {number: support(text, source.readable) for number, source in self._sources.items()}
        clear = [number for number, each in measured.items() if each.is_clear]
        if not clear:
            return ()
        best = max(clear, key=lambda number: measured[number].share)
        self.cited.add(best)
        return (best,)


def _states_something(text: str) -> bool:
    """Whether a line or sentence is one that can be from a source."""
    return not text.startswith(_UNATTRIBUTED) and not text.endswith(("?", ":"))


def checked_texts(value: Any, sources: Sequence[Source]) -> Any:
    """A JSON value with the marks in its texts checked."""
    if isinstance(value, Mapping):
        return {name: checked_texts(part, sources) for name, part in value.items()}
    if isinstance(value, list):
        return [checked_texts(part, sources) for part in value]
    if not isinstance(value, str):
        return value
    segments = MarkReader([source.number for source in sources]).read(value, last=True)
    return "".join(segment.checked if segment.kind == "mark" else segment.text for segment in segments)


def _begins_json(text: str) -> bool | None:
    """Whether a text is JSON, by its beginning; None where too little of it has come. `[1]` alone is a mark."""
    begun = "".join(text.split())[:2]
    if not begun or begun in "{[":
        return None
    return begun in ('{"', "{}", "[{", '["')
