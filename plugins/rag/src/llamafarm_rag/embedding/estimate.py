"""How many tokens a text may have, where nobody can count them: rather too many than too few.

The rule, by what a text is made of: a run of the letters a to z has a token for its first three letters and one for
each two that follow; a capital letter, a letter with an accent and a sign begin a run. A digit, a sign, and a letter of
any other script are a token each, and so is each character of a key or of base64. Characters that tokenizers take apart
(Korean syllables, emoji, all beyond the Basic Multilingual Plane) count as what they fall into. Tests hold it against
WordPiece (MiniLM's tokenizer), for texts of many languages, for code and for numbers: it never says fewer, and for
English nearly twice as many.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

FIRST_LETTERS, FURTHER_LETTERS = 3, 2
"""Of a run of letters: how many its first token has, and each further one."""
BYTES = 2
"""Of a token of a character beyond the Basic Multilingual Plane, which byte-level vocabularies rarely hold whole."""
_PARTS = re.compile(
    r"""(?P<key> \b (?=[a-zA-Z+/]*[0-9]) (?=[a-z0-9+/]*[A-Z]) (?=[A-Z0-9+/]*[a-z]) [a-zA-Z0-9+/=]{16,} )
    | (?P<letters> [A-Z]?[a-z]+ | [A-Z]+ )
    | (?P<apart> [\uac00-\ud7a3\U00010000-\U0010ffff] )
    | (?P<single> \S )""",
    re.VERBOSE,
)


def estimated_tokens(texts: Sequence[str]) -> list[int]:
    """The number for each text."""
    return [sum(map(_tokens, _PARTS.finditer(text))) for text in texts]


def _tokens(part: re.Match[str]) -> int:
    match part.lastgroup:
        case "key":
            return len(part[0])
        case "letters":
            return 1 + max(0, -(-(len(part[0]) - FIRST_LETTERS) // FURTHER_LETTERS))
        case "apart":
            return max(len(unicodedata.normalize("NFD", part[0])), len(part[0].encode()) // BYTES)
        case _:
            return 1
