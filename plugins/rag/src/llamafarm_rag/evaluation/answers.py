"""What a model entry answers to each question of a table, and what it cites."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import llamafarm
from llamafarm.errors import UsageError

from llamafarm_rag.answering.options import RagOptions
from llamafarm_rag.evaluation.keywords import words_of
from llamafarm_rag.evaluation.rounds import OF_A_ROW, each_of, one_line
from llamafarm_rag.evaluation.rows import QuestionRow

HANDLER = "rag"


@dataclass(frozen=True)
class Answer:
    """What was answered to a question, or why nothing was.

    strategy: the one that was named, or None. context, cited: the files of the sources that the model was sent, and of
    those that the answer cites, one for each source. removed, added, unsupported: marks that were taken out or put in,
    and sentences that their sources do not support. problem: why sentences were not checked. is_refused: whether it is
    the refusal. tokens: of the prompt and of the answer, where they are known.
    """

    row: QuestionRow
    strategy: str | None = None
    text: str = ""
    context: tuple[str, ...] = ()
    cited: tuple[str, ...] = ()
    removed: int = 0
    added: int = 0
    unsupported: int = 0
    problem: str = ""
    is_refused: bool = False
    tokens: tuple[int, int] | None = None
    seconds: float = 0.0
    error: str = ""

    @property
    def right(self) -> int:
        """How many of its sources are of files that answer the question."""
        return sum(file in self.row.files for file in self.cited)


@dataclass
class Asker:
    """Asks questions through the whole road of a chat: retrieval, the model, and the check of its marks.

    model: the name of a model entry; None is the default one. database: the one that is named; None leaves it to the
    entry.
    """

    farm: llamafarm.Farm
    model: str | None = None
    database: str | None = None
    answers: list[Answer] = field(default_factory=list)

    async def ask_all(
        self,
        rows: Sequence[QuestionRow],
        strategies: Sequence[str | None],
        *,
        at_once: int,
        done: Callable[[], None],
    ) -> None:
        """Add the answer to each question by each strategy to `answers`, as it comes. done: called after each.

        strategies: their names; None leaves it to the entry. Raises LlamaFarmError.
        """

        async def ask(pair: tuple[str | None, QuestionRow]) -> None:
            self.answers.append(await self._ask(*pair))
            done()

        await each_of([(strategy, row) for strategy in strategies for row in rows], ask, at_once=at_once)

    async def _ask(self, strategy: str | None, row: QuestionRow) -> Answer:
        if not row.question:
            return Answer(row, strategy, error="It has no question.")
        given = {"database": self.database, "rag_retrieval_strategy": strategy}
        chosen = {name: value for name, value in given.items() if value is not None}
        began = time.perf_counter()
        try:
            messages = [{"role": "user", "content": row.question}]
            reply = await self.farm.ask("chat", {"messages": messages, **chosen}, model=self.model)
            try:
                completion = await reply.completion()
            finally:
                await reply.aclose()
        except OF_A_ROW as error:
            return Answer(row, strategy, error=one_line(error))
        return self._read(row, strategy, completion, time.perf_counter() - began)

    def _read(self, row: QuestionRow, strategy: str | None, completion: Mapping[str, Any], seconds: float) -> Answer:
        """What an answer tells. Raises UsageError where it was not made from documents."""
        if "sources" not in completion:
            raise UsageError(
                "This model entry has answered without documents, so there is nothing to measure.",
                hint="Its handlers include `rag`, and its options do not say `enabled: false`: `handler: rag`.",
                status=400,
            )
        sources, citations = completion["sources"], completion.get("citations") or {}
        text = (completion["choices"][0].get("message") or {}).get("content") or ""
        cited = tuple(source["file"] for source in sources if source["cited"])
        return Answer(
            row,
            strategy,
            text,
            context=tuple(source["file"] for source in sources),
            cited=cited,
            removed=len(citations.get("removed") or ()),
            added=len(citations.get("added") or ()),
            unsupported=len(citations.get("unsupported") or ()),
            problem=citations.get("problem") or "",
            is_refused=not cited and self._says_refusal(text),
            tokens=_tokens(completion.get("usage")),
            seconds=seconds,
        )

    def _says_refusal(self, text: str) -> bool:
        """Whether the words of the refusal that the entry is told stand in an answer, one after the other."""
        options = cast("RagOptions | None", self.farm.project.options_of(self.farm.project.entry(self.model), HANDLER))
        refusal = (options or RagOptions()).refusal
        return f" {' '.join(words_of(refusal))} " in f" {' '.join(words_of(text))} "


def _tokens(usage: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """Those of the prompt and of the answer, where both are told."""
    counts = [(usage or {}).get(name) for name in ("prompt_tokens", "completion_tokens")]
    return (counts[0], counts[1]) if counts[0] is not None and counts[1] is not None else None
