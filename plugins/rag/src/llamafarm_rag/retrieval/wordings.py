"""Other wordings of a question, as a model finds them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from llamafarm.wire import CHAT

from llamafarm_rag.config.retrieval import MultiQueryConfig
from llamafarm_rag.retrieval.journal import Journal
from llamafarm_rag.retrieval.question import AskModel

PROMPT = """\
Somebody searches a collection of documents for the answer to this question:

{question}

Write {count} other search queries for it: other words for the same, and what the answer may be called in a document. \
Keep names, numbers and codes as they are. One query a line, nothing else."""
TOKENS_OF_ONE = 64
LONGEST = 400
"""Characters; a longer line is talk and no query."""
_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_FENCE = re.compile(r"^```\w*$", re.MULTILINE)
_MARK = re.compile(r"^(?:[-*•–]|\(?\d{1,2}[.):](?!\d)|(?:query|search)\s*\d*\s*:)\s*", re.IGNORECASE)
_QUOTES = "\"'“”„«»`*_"


async def wordings(question: str, config: MultiQueryConfig, ask: AskModel, journal: Journal) -> list[str]:
    """The question, and at most `num_queries` - 1 other wordings of it. Raises what asking raises.

    A model that has written none that can be read leaves the question alone, and that is noted.
    """
    count = config.num_queries - 1
    prompt = (config.prompt or PROMPT).replace("{count}", str(count)).replace("{question}", question)
    request = {"messages": [{"role": "user", "content": prompt}], "max_tokens": TOKENS_OF_ONE * config.num_queries}
    others = queries_in(await _answer(ask, request, config.model), besides=question)
    if not others:
        journal.note("The model has written no other wording that can be read: only the question is searched for.")
    return [question, *others[:count]]


async def _answer(ask: AskModel, request: dict[str, Any], model: str | None) -> str:
    reply = await ask(CHAT, request, model=model)
    try:
        completion = await reply.completion()
    finally:
        await reply.aclose()
    content = completion["choices"][0]["message"].get("content")
    return content if isinstance(content, str) else ""


def queries_in(answer: str, *, besides: str) -> list[str]:
    """The queries of an answer: the texts of its JSON, or its lines; each once, and none that is the question itself.

    Numbers, bullets and quotes around them are no part of them; thinking, and lines that announce a list, are none.
    """
    answer = _FENCE.sub("", _THINKING.sub("", answer)).strip()
    listed = _json_texts(answer)
    lines = answer.splitlines() if listed is None else listed
    return list(_new(filter(None, map(_query, lines)), besides))


def _json_texts(answer: str) -> list[str] | None:
    """The texts of a JSON list, or of the lists in an object; None for what is no JSON."""
    try:
        value = json.loads(answer)
    except ValueError:
        return None
    lists = [value] if isinstance(value, list) else value.values() if isinstance(value, dict) else []
    return [text for items in lists if isinstance(items, list) for text in items if isinstance(text, str)]


def _query(line: str) -> str | None:
    """A line without what is around its query; None where it holds none."""
    query = _MARK.sub("", line.strip().strip(_QUOTES).strip()).strip().strip(_QUOTES).strip()
    return None if query.endswith(":") or len(query) > LONGEST else query


def _new(queries: Iterable[str], besides: str) -> Iterable[str]:
    seen = {besides.casefold().strip()}
    for query in queries:
        if query.casefold() not in seen:
            seen.add(query.casefold())
            yield query
