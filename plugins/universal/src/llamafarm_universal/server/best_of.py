"""`best_of` of text completions: more answers are made than come back."""

from __future__ import annotations

import math

from llamafarm.errors import RequestError
from llamafarm.wire import CompletionChoice

from llamafarm_universal.server.fields import Parsed


def made_for_each(request: Parsed) -> int:
    """How many answers are made for each prompt. Raises RequestError where `n` or `stream` does not go with that."""
    n: int = request.get("n", 1)
    made: int = request.get("best_of", n)
    if made < n:
        message = f"'best_of' is {made} and 'n' is {n}: it must be at least as many."
        raise RequestError(message, param="best_of", code="invalid_value")
    if made > n and request.get("stream"):
        message = "'best_of' cannot be streamed: which answers come back is known when all have ended."
        raise RequestError(message, param="best_of", code="invalid_value")
    return made


def asks_for_best(request: Parsed) -> bool:
    """Whether more answers are made than come back, so that their log probabilities are needed."""
    return made_for_each(request) > int(request.get("n", 1))


def best(choices: list[CompletionChoice], made: int, request: Parsed) -> list[CompletionChoice]:
    """The `n` of each prompt's choices whose tokens are the likeliest on average, the best first, numbered anew."""
    if not asks_for_best(request):
        return choices
    n = request.get("n", 1)
    kept: list[CompletionChoice] = []
    for start in range(0, len(choices), made):
        kept += sorted(choices[start : start + made], key=_likelihood, reverse=True)[:n]
    for index, choice in enumerate(kept):
        choice["index"] = index
        if "logprobs" not in request.values:
            choice["logprobs"] = None
    return kept


def _likelihood(choice: CompletionChoice) -> float:
    """The mean log probability of the tokens; an answer that has none comes last."""
    values = (choice.get("logprobs") or {}).get("token_logprobs")
    return sum(values) / len(values) if values else -math.inf
