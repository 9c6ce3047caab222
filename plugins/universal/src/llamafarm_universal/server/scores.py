"""POST /v1/rerank and /v1/score.

Source: the rerank API of Cohere and Jina, and vLLM's score API. `method` is ours: it tells a model that reads both
texts together (`cross-encoder`) from one that compares their vectors (`bi-encoder`), which is less exact.
"""

from __future__ import annotations

from typing import Any

from llamafarm.errors import RequestError
from llamafarm.web import request_id_of
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.messages import Score, Scores
from llamafarm_universal.server.encoding import answered
from llamafarm_universal.server.fields import Parsed


async def rerank(request: Request, parsed: Parsed) -> Response:
    query, documents = parsed.values["query"], parsed.values["documents"]
    work = Score(tuple((query, document) for document in documents))
    with_texts = parsed.get("return_documents", False)

    def shape(scores: Scores) -> dict[str, Any]:
        ranked = sorted(enumerate(scores.values), key=lambda pair: -pair[1])[: parsed.get("top_n")]
        results: list[dict[str, Any]] = [{"index": index, "relevance_score": score} for index, score in ranked]
        if with_texts:
            results = [{**row, "document": {"text": documents[row["index"]]}} for row in results]
        return {"id": f"rerank-{request_id_of(request)}", "results": results, "method": scores.method}

    return await answered(request, parsed, work, shape)


async def score(request: Request, parsed: Parsed) -> Response:
    work = Score(pairs_of(parsed.values["text_1"], parsed.values["text_2"]))

    def shape(scores: Scores) -> dict[str, Any]:
        data = [{"object": "score", "index": index, "score": score} for index, score in enumerate(scores.values)]
        return {"id": f"score-{request_id_of(request)}", "object": "list", "data": data, "method": scores.method}

    return await answered(request, parsed, work, shape)


def pairs_of(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """One text with each of several, or as many with as many. Raises RequestError."""
    if len(first) == 1:
        first *= len(second)
    if len(first) != len(second):
        raise RequestError(
            f"'text_1' has {len(first)} texts and 'text_2' {len(second)}: one is compared with each of several, or as "
            "many with as many.",
            param="text_2",
            code="invalid_value",
        )
    return tuple(zip(first, second, strict=True))
