"""Rules of llguidance's Lark, put together. Source of the syntax: llguidance's docs/syntax.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import count

_SPACE = r"/\x20|\n\x20{0,16}/"
ANY = "(?s:.*)"
"""A pattern of any text."""


class Lark:
    """A grammar that is being written.

    special: the ids of tokens that are no text, by their names: where a text has such a name, it is that token.
    """

    def __init__(self, special: Mapping[str, int]) -> None:
        self._special = special
        names = sorted(special, key=len, reverse=True)
        self._cut = re.compile("(" + "|".join([*map(re.escape, names), " "]) + ")")
        self._rules: list[str] = []
        self._numbers = count()

    def rule(self, name: str, body: str, *, lazy: bool = False) -> str:
        """Add a rule, or a terminal where the name is in capitals. Returns its name."""
        self._rules.append(f"{name}{'[lazy]' if lazy else ''}: {body}")
        return name

    def fresh(self, name: str) -> str:
        """A name for one more rule of this kind."""
        return f"{name}_{next(self._numbers)}"

    def source(self, start: str) -> str:
        return "\n".join([f"start: {start}", *self._rules])

    def is_special(self, text: str) -> bool:
        return text in self._special

    def has_special(self, text: str) -> bool:
        return any(self.is_special(piece) for piece in self._cut.split(text))

    def text(self, text: str, replaced: Mapping[str, str] | None = None) -> str:
        """What matches a text, in which a space is white space or none. replaced: texts for words in it."""
        return " ".join(self._piece(piece, replaced or {}) for piece in self._cut.split(text) if piece)

    def exact(self, text: str) -> str:
        """What matches exactly a text; empty for an empty one."""
        pieces = [piece for piece in self._cut.split(text) if piece]
        return " ".join(literal(piece) if piece == " " else self._piece(piece, {}) for piece in pieces)

    def _piece(self, piece: str, replaced: Mapping[str, str]) -> str:
        if piece == " ":
            return f"({_SPACE})?"
        if self.is_special(piece):
            return f"<[{self._special[piece]}]>"
        return literal(reduce(lambda text, word: text.replace(word, replaced[word]), replaced, piece))


def literal(text: str) -> str:
    """What matches exactly a text."""
    return json.dumps(text, ensure_ascii=False)


def choice(options: Sequence[str]) -> str:
    """What matches one of several expressions."""
    return f"({' | '.join(options)})" if len(options) > 1 else options[0]


def regex(pattern: str) -> str:
    """What matches a regular expression. Only the slash that ends it has to be escaped, which it may be already."""
    return "/" + re.sub(r"(\\.)|/", lambda match: match[1] or r"\/", pattern, flags=re.DOTALL) + "/"


def exactly(text: str) -> str:
    """The pattern of a text, on one line."""
    return re.escape(text).replace("\\\n", r"\n")


def text_like(pattern: str, *, but: Sequence[str] = ()) -> str:
    """What matches any text that is as one pattern and as none of the others."""
    return " & ".join([regex(pattern), *(f"~{regex(other)}" for other in but)])
