"""How well documents fit a query, and texts each other.

Source: the rerank API that Cohere and Jina began and vLLM, llama.cpp and Lemonade serve; vLLM's score API.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class RerankRequest(TypedDict):
    """Documents to be put in order. top_n: how many come back. return_documents: with their texts.

    Source: Cohere's API reference, "Rerank"; vLLM's documents, "Re-rank API".
    """

    query: str
    documents: list[str | dict[str, Any]]
    model: NotRequired[str]
    top_n: NotRequired[int | None]
    return_documents: NotRequired[bool | None]


class RerankResult(TypedDict):
    index: int
    relevance_score: float
    document: NotRequired[Any]


class RerankResponse(TypedDict):
    """The documents by `index`, the number of their place in the request; the best one first.

    Source: Cohere's API reference, "Rerank"; vLLM's documents, "Re-rank API".
    """

    results: list[RerankResult]
    id: NotRequired[str]
    model: NotRequired[str]
    usage: NotRequired[dict[str, Any]]


class ScoreRequest(TypedDict):
    """A text or several, each to be compared with a text, or one after the other with as many.

    Source: vLLM's documents, "Score API".
    """

    text_1: str | list[str]
    text_2: str | list[str]
    model: NotRequired[str]


class Score(TypedDict):
    index: int
    score: float
    object: NotRequired[str]


class ScoreResponse(TypedDict):
    """How well the pairs fit, in the order of the request.

    Source: vLLM's documents, "Score API".
    """

    data: list[Score]
    id: NotRequired[str]
    object: NotRequired[str]
    model: NotRequired[str]
    usage: NotRequired[dict[str, Any]]
