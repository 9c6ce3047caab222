"""`POST /rag/query`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import llamafarm
from llamafarm.errors import RequestError
from llamafarm.web import json_answer, read_object
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llamafarm_rag.answering.options import Queries, TopK
from llamafarm_rag.config.project import database_of, strategy_of
from llamafarm_rag.library import search
from llamafarm_rag.retrieval.question import Question

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


class QueryRequest(BaseModel):
    """What may be asked; the names are those of a chat's request fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(min_length=1)
    database: str | None = None
    rag_retrieval_strategy: str | None = None
    rag_top_k: TopK | None = None
    rag_score_threshold: float | None = None
    rag_queries: Queries | None = None
    rag_filters: dict[str, Any] | None = None


async def query(request: Request, farm: llamafarm.Farm) -> Response:
    """What would be retrieved for a question, with the scores of each stage."""
    asked = _checked(await read_object(request))
    options = database_of(farm.project, asked.database)
    strategy = strategy_of(options, asked.rag_retrieval_strategy)
    queries = tuple(asked.rag_queries) if asked.rag_queries else None
    question = Question(asked.query, queries, asked.rag_top_k, asked.rag_score_threshold, asked.rag_filters)
    return json_answer({"object": "retrieval", **asdict(await search(farm, question, options, strategy))})


def _checked(body: dict[str, Any]) -> QueryRequest:
    try:
        return QueryRequest.model_validate(body)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        message = f"The field {where!r} is wrong: {problem['msg']}."
        raise RequestError(message, code="invalid_value", param=where) from None
