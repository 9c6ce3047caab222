"""What a model entry says to each row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click
import llamafarm
from llamafarm.errors import (
    ContextLengthExceeded,
    InvalidRequest,
    LlamaFarmError,
    ProviderTimeout,
    RateLimited,
    RequestError,
    UpstreamError,
    UsageError,
)

from llamafarm_agents.evaluation.rows import Row

OF_A_ROW = (RequestError, InvalidRequest, ContextLengthExceeded, UpstreamError, ProviderTimeout, RateLimited)
"""Errors after which other rows may be answered; any other ends it all."""


@dataclass(frozen=True)
class Answer:
    """The label that a row got, or why it got none. scores: of all labels, where the entry tells them."""

    row: Row
    label: str = ""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    error: str = ""


async def ask_all(
    farm: llamafarm.Farm, rows: Sequence[Row], model: str | None, *, at_once: int, done: Callable[[], None]
) -> list[Answer]:
    """The answers in the order of the rows. The first row is asked alone: a model is loaded once.

    at_once: so many are asked side by side then. done: called after each. Raises LlamaFarmError.
    """
    free = asyncio.Semaphore(at_once)

    async def answer(row: Row) -> Answer:
        async with free:
            said = await _answer(farm, row, model)
        done()
        return said

    first = await answer(rows[0])
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(answer(row)) for row in rows[1:]]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [first, *(task.result() for task in tasks)]


async def _answer(farm: llamafarm.Farm, row: Row, model: str | None) -> Answer:
    if not row.label:
        return Answer(row, error="It has no label.")
    request = {"messages": [{"role": "user", "content": row.text}]}
    try:
        reply = await farm.ask("chat", request, model=model, progress=_tell)
        try:
            return _read(row, await reply.completion())
        finally:
            await reply.aclose()
    except OF_A_ROW as error:
        return Answer(row, error=_one_line(error))


def _read(row: Row, answer: Mapping[str, Any]) -> Answer:
    """Of an entry without the handler `classifier`, the whole text is the label. Raises UsageError for several."""
    facts = (answer.get("llamafarm") or {}).get("classification") or {}
    if "labels" in facts:
        raise UsageError(
            "This model entry gives several labels to a text, and one is compared with the table.",
            hint="Ask an entry without `multi_label`.",
            status=400,
        )
    text = (answer["choices"][0].get("message") or {}).get("content") or ""
    return Answer(row, facts.get("label") or text.strip(), facts.get("scores") or {})


def _tell(step: llamafarm.Progress) -> None:
    """What happens before the first answer, on stderr."""
    if step.stage != "ready" and step.done is None:
        click.echo(step.text, err=True)


def _one_line(error: LlamaFarmError) -> str:
    return " ".join(str(error).split())
