"""The handler: looks a question up, asks the model with what was found, and checks what it cites."""

from __future__ import annotations

from collections.abc import Sequence

import llamafarm

from llamafarm_rag.answering.citing import CitedAnswer
from llamafarm_rag.answering.context import in_context
from llamafarm_rag.answering.frame import instructions
from llamafarm_rag.answering.options import RagOptions
from llamafarm_rag.answering.place import Place, is_wanted, place_of
from llamafarm_rag.answering.question import asked_for, wording_of
from llamafarm_rag.answering.quoting import quotation
from llamafarm_rag.answering.retriever import Retriever
from llamafarm_rag.answering.sources import Source, numbered
from llamafarm_rag.answering.unasked import unasked
from llamafarm_rag.answering.verification import Check, RerankCheck, WordCheck
from llamafarm_rag.config.datasets import Dataset
from llamafarm_rag.embedding.asking import embedder_of
from llamafarm_rag.retrieval.result import Retrieval


class RagHandler:
    """Middleware. What was retrieved stands before the model, set apart; nothing else of the conversation is changed.

    A turn for which nothing was found is refused without asking the model, unless the options say otherwise. They may
    also say that sources are quoted, and no model asked at all.
    """

    def __init__(self, options: RagOptions, retriever: Retriever) -> None:
        self._options = options
        self._retriever = retriever

    async def run(self, turn: llamafarm.Turn, ask: llamafarm.Ask) -> llamafarm.Reply:
        """Raises UsageError for a name that is not there, DatabaseError, and what asking a model raises."""
        if not is_wanted(turn, self._options):
            turn.note("rag", enabled=False)
            return await ask(turn)
        place = place_of(turn, self._options)
        retrieval = await self._retrieved(turn, place)
        sources = numbered(retrieval.hits) if retrieval else []
        if not sources and self._options.answer_without_context == "refuse":
            turn.note("rag", refused="no passage was found that may be used")
            return unasked(turn, self._options.refusal)
        if self._options.answer == "quote" and retrieval is not None:
            return await self._quoted(turn, place, retrieval, sources)
        prompts = place.dataset.prompts if place.dataset else ()
        asking = self._asking(sources, place.dataset, ask)
        return await (turn.through((), asking, prompts=prompts) if prompts else asking(turn))

    async def aclose(self) -> None:
        """Let go of the databases."""
        await self._retriever.aclose()

    async def _retrieved(self, turn: llamafarm.Turn, place: Place) -> Retrieval | None:
        """What was found; None where the turn has no text that could be looked for."""
        rewrite = "off" if self._options.answer == "quote" else self._options.rewrite
        wording = await wording_of(turn, rewrite)
        if not wording.text:
            turn.note("rag", no_question="the last message of the user has no text")
            return None
        retrieval = await self._retriever.retrieve(asked_for(turn, self._options, place, wording), place, turn)
        turn.note(
            "rag",
            database=retrieval.database,
            strategy=retrieval.strategy,
            dataset=place.dataset and place.dataset.name,
            queries=list(retrieval.queries),
            hits=len(retrieval.hits),
            below=retrieval.below,
            repeated=retrieval.repeated,
            notes=list(retrieval.notes),
            milliseconds={stage.name: round(stage.milliseconds, 1) for stage in retrieval.stages},
        )
        return retrieval

    async def _quoted(
        self, turn: llamafarm.Turn, place: Place, retrieval: Retrieval, sources: Sequence[Source]
    ) -> llamafarm.Reply:
        """The sentences of the sources that come nearest to the question; no model is asked, but for the dataset's
        handlers, which see them as a model's answer.
        """
        embedder = embedder_of(turn.project, place.database, turn)
        text = await quotation(retrieval.queries[0], sources, embedder)
        turn.note("rag", quoted=text is not None)
        if text is None:
            return unasked(turn, self._options.refusal)
        answer = CitedAnswer(turn, sources, self._options.refusal, attributes=False, check=None)

        async def quoted(asked: llamafarm.Turn) -> llamafarm.Reply:
            return unasked(asked, text, {})

        handlers = place.dataset.handlers if place.dataset else ()
        reply = await (turn.through(handlers, quoted) if handlers else quoted(turn))
        return reply.map_chunks(answer.changed)

    def _asking(self, sources: Sequence[Source], dataset: Dataset | None, ask: llamafarm.Ask) -> llamafarm.Ask:
        """Asks with these sources, through the handlers of the dataset, for an answer that is checked against them."""
        handlers = dataset.handlers if dataset else ()

        async def asking(turn: llamafarm.Turn) -> llamafarm.Reply:
            framed, shown = await self._with_sources(turn, sources)
            answer = CitedAnswer(
                turn, shown, self._options.refusal, attributes=self._options.attribution, check=self._check(turn)
            )
            reply = await (framed.through(handlers, ask) if handlers else ask(framed))
            return reply.map_chunks(answer.changed)

        return asking

    async def _with_sources(
        self, turn: llamafarm.Turn, sources: Sequence[Source]
    ) -> tuple[llamafarm.Turn, Sequence[Source]]:
        """The turn as the model gets it, and the sources in it; where there are none, it is as it was."""
        if not sources:
            turn.note("rag", answered_without_context=True)
            return turn, ()
        told = instructions(self._options.instructions, self._options.refusal)
        context = await in_context(turn, sources, told, self._options.context_share)
        turn.note("rag", **context.facts)
        return turn.with_messages(context.messages), context.sources

    def _check(self, turn: llamafarm.Turn) -> Check | None:
        if self._options.verify == "off":
            return None
        model = self._options.verify_model
        return WordCheck() if model is None else RerankCheck(turn, model)
