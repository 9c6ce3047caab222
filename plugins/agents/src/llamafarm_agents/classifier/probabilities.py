"""How likely a model took each key to be, read from the log probabilities of its answer.

What alternatives mean differs: some runtimes tell them as the model sees them, others among the tokens that may come
where an answer is held to a schema (the Universal Runtime). Renormalised over the keys, both say the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

_AROUND = " \t\r\n\"'`*_.,:;()[]{}Ġ▁Ċ"
"""What tokens have around a key: `"A`, `A"}`, ` A`; and how some runtimes write a space."""

UNTOLD = 0.01
"""The greatest share of keys that are not told by which scores may be wrong."""


def key_probabilities(logprobs: Any, text: str, key: str, keys: Sequence[str]) -> dict[str, float] | None:
    """The probability of each key at the place where the answer says `key`; a key that is not told there is absent.

    logprobs: of a choice of a chat answer. text: its content. None where nothing is told of that place, or so little
    that the keys which are absent could be as likely as those that are not.
    """
    tokens = (logprobs or {}).get("content") if isinstance(logprobs, Mapping) else None
    token = _deciding(tokens or (), text, key)
    if token is None:
        return None
    likeliest = _told(token.get("top_logprobs") or ())
    told = {**likeliest, **_told([token])}
    weights: dict[str, float] = {}
    for said, probability in told.items():
        if (named := _named(said, keys)) is not None:
            weights[named] = weights.get(named, 0.0) + probability
    total = sum(weights.values())
    # a key that is not told is no likelier than the last that is, and all of them no likelier than what is left
    untold = min((len(keys) - len(weights)) * min(likeliest.values(), default=1.0), 1.0 - sum(told.values()))
    if key not in weights or total == 0 or untold > UNTOLD * total:
        return None
    return {named: weight / total for named, weight in weights.items()}


def _deciding(tokens: Sequence[Mapping[str, Any]], text: str, key: str) -> Mapping[str, Any] | None:
    """The token in which the key begins. What a model thought before stands among the tokens, but not in the text."""
    said = "".join(str(token.get("token") or "") for token in tokens)
    begin = said.rfind(text.strip())
    found = re.search(rf'(?<="){key}(?=")|(?<!\w){key}(?!\w)', text.strip(), re.IGNORECASE)
    if begin < 0 or found is None:
        return None
    ends = accumulate(len(str(token.get("token") or "")) for token in tokens)
    return next((token for token, end in zip(tokens, ends, strict=True) if end > begin + found.start()), None)


def _told(tokens: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The probability of each token."""
    logprobs = {str(token.get("token")): token.get("logprob") for token in tokens}
    return {said: math.exp(min(value, 0.0)) for said, value in logprobs.items() if isinstance(value, int | float)}


def _named(said: str, keys: Sequence[str]) -> str | None:
    """The key that a token begins or is: the only one that goes on so."""
    for written in (str, str.casefold):
        begun = written(said.strip(_AROUND))
        fits = [key for key in keys if begun and written(key).startswith(begun)]
        if len(fits) == 1:
            return fits[0]
    return None
