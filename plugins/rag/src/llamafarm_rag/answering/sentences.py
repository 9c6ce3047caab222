"""Sentences of a text, told while the text comes.

A sentence ends with its punctuation where a blank and no small letter follow, with a full stop of Chinese or Japanese,
and with its line. Abbreviations, initials and the numbers of lists end none. Blocks of code belong to none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import regex

from llamafarm_rag.answering.marks import marks_of

_ENDS = frozenset(".!?…。！？")
_WIDE_ENDS = frozenset("。！？")
_CLOSERS = frozenset("\"'”’»)*_")
_BLANKS = frozenset(" \t\u00a0\u202f")
_MOST_HELD = 16
"""More punctuation than this is no end of a sentence, in characters."""
_SEEN = 40
"""How much of the beginning and of the end of a sentence is looked at, in characters."""
_NO_END = regex.compile(
    r"(?:^|[\s(])(?:[^\W\d_]|e\.g|i\.e|z\.b|d\.h|u\.a|p\.ej|dr|mr|mrs|ms|prof|st|no|nr|vs|cf|fig|vol|approx|ca|bzw)$",
    regex.IGNORECASE,
)
"""What stands before a full stop that ends no sentence."""
_LIST_NUMBER = regex.compile(r"^[\s>*#-]*(?:\d{1,3}|[a-zA-Z])$")


@dataclass(frozen=True)
class Sentence:
    """A sentence of a text that was read.

    text: without marks. start, end: its place in what was sent, marks included, in characters. numbers: of the sources
    that its marks name; added: those that were marked beside.
    """

    text: str
    start: int
    end: int
    numbers: tuple[int, ...] = ()
    added: tuple[int, ...] = ()


Ending = Callable[[str, tuple[int, ...]], tuple[int, ...]]
"""Told of the text of a sentence and the numbers of its marks, it returns the numbers that are to be marked beside."""


def no_more(text: str, numbers: tuple[int, ...]) -> tuple[int, ...]:  # noqa: ARG001 - what it is called with
    """The ending that marks nothing."""
    return ()


class SentenceReader:
    """Reads one text, whose marks are told apart, as it comes.

    What its methods return may be sent: the punctuation that may end a sentence is held back until that is known.
    sentences: those that have ended.
    """

    def __init__(self, ending: Ending = no_more) -> None:
        self.sentences: list[Sentence] = []
        self._ending = ending
        self._out: list[str] = []
        self._sent = 0
        self._in_block = False
        self._parts: list[str] = []
        self._head = self._tail = self._held = ""
        self._numbers: tuple[int, ...] = ()
        self._is_over = False
        self._start = self._end = 0

    @property
    def place(self) -> int:
        """Where in the text what comes next will stand, in characters."""
        return self._sent + len(self._held)

    def prose(self, text: str) -> str:
        """Take text that is no code."""
        self._in_block = False
        for character in text:
            self._next(character)
        return self._taken()

    def code(self, text: str) -> str:
        """Take text that is code: in a line it belongs to the sentence, a block belongs to none."""
        self._settle(text[:1])
        for at, line in enumerate(text.split("\n")):
            if at:
                self._end_code_line()
            if line and not self._in_block:
                self._add(line)
            else:
                self._send(line)
        return self._taken()

    def mark(self, text: str, numbers: tuple[int, ...]) -> str:
        """Take marks, with the blank before them, as they are to be sent. Behind punctuation they end the sentence."""
        self._is_over = self._is_over or bool(self._held)
        self._keep(self._held)
        self._send(self._held + text)
        self._held = ""
        self._end = self._sent
        self._numbers += numbers
        return self._taken()

    def end(self) -> str:
        """The text has ended."""
        self._finish()
        return self._taken()

    def _next(self, character: str) -> None:
        self._settle(character)
        if character == "\n":
            self._finish()
            self._send(character)
        elif self._is_over and (character in _BLANKS or character in _ENDS):
            self._send(character)
        elif self._held or character in _ENDS:
            self._held += character
        else:
            if self._is_over:
                self._finish()
            self._add(character)

    def _settle(self, following: str) -> None:
        """Decide on the punctuation that is held, now that it is known what follows."""
        if not self._held or self._goes_on(following):
            return
        if following == "\n" or self._ends_before(following):
            self._finish()
        else:
            held, self._held = self._held, ""
            self._add(held)

    def _goes_on(self, following: str) -> bool:
        """Whether the end of a sentence may still be longer than what is held."""
        if len(self._held) >= _MOST_HELD:
            return False
        has_blank = self._held[-1] in _BLANKS
        return following in _BLANKS or (not has_blank and (following in _ENDS or following in _CLOSERS))

    def _ends_before(self, following: str) -> bool:
        if self._held[0] in _WIDE_ENDS:
            return True
        if self._held[-1] not in _BLANKS or following.islower() or _LIST_NUMBER.match(self._head):
            return False
        return not (self._held[0] == "." and _NO_END.search(self._tail))

    def _finish(self) -> None:
        """The sentence has ended with what is held."""
        ending = self._held.rstrip("".join(_BLANKS))
        text = ("".join(self._parts) + ending).strip()
        added = self._ending(text, self._numbers) if self._head else ()
        if added:
            blank = "" if ending[:1] in _WIDE_ENDS and ending else " "
            self._send(blank + marks_of(added))
        self._send(ending)
        if not self._is_over:
            self._end = self._sent
        self._send(self._held[len(ending) :])
        if text and (self._head or self._numbers):
            self.sentences.append(Sentence(text, self._start, self._end, self._numbers + added, added))
        self._clear()

    def _end_code_line(self) -> None:
        if self._in_block or self._head.startswith(("```", "~~~")):
            self._in_block = True
            self._clear()
        else:
            self._finish()
        self._send("\n")

    def _add(self, text: str) -> None:
        """Take what belongs to the sentence."""
        if not self._head and not self._numbers and (begun := text.lstrip()):
            self._start = self._sent + len(text) - len(begun)
        self._keep(text)
        self._send(text)

    def _keep(self, text: str) -> None:
        self._parts.append(text)
        self._tail = (self._tail + text)[-_SEEN:]
        if len(self._head) < _SEEN:
            self._head = (self._head + text).lstrip()[:_SEEN]

    def _send(self, text: str) -> None:
        self._out.append(text)
        self._sent += len(text)

    def _taken(self) -> str:
        out, self._out = "".join(self._out), []
        return out

    def _clear(self) -> None:
        self._parts = []
        self._head = self._tail = self._held = ""
        self._numbers = ()
        self._is_over = False
        self._start = self._end = self._sent


def sentence_ends(text: str) -> list[int]:
    """Where the sentences of a whole text end, in characters; blocks of code have no ends in them."""
    reader = SentenceReader()
    reader.prose(text)
    reader.end()
    return [sentence.end for sentence in reader.sentences]
