"""Texts embedded by asking a model entry of the project, whichever runtime executes it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import llamafarm
import numpy as np
from llamafarm import all_of
from llamafarm.errors import InvalidRequest, ModelNotFound, UpstreamError
from llamafarm.wire import EMBEDDINGS

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.config.embedders import ByPurpose
from llamafarm_rag.config.entries import entry_name
from llamafarm_rag.database.base import EmbedderIdentity
from llamafarm_rag.embedding.answer import vectors_of
from llamafarm_rag.embedding.asks import AsksModels, CountsTexts, DescribesModels
from llamafarm_rag.embedding.base import Purpose, Vectors
from llamafarm_rag.embedding.estimate import estimated_tokens
from llamafarm_rag.embedding.identity import model_identity
from llamafarm_rag.embedding.patience import patiently
from llamafarm_rag.errors import DimensionMismatch

BATCH = 64
"""Texts of one request, where the strategy does not say."""
AT_ONCE = 3
"""Requests under way: one is executed, one waits at the runtime, one is on its way (benchmarks/rag.py)."""
PATIENCE: Mapping[Purpose, float] = {"query": 10.0, "passage": 120.0}
"""Seconds that may be waited for a runtime that is busy or starts anew: somebody waits for a query."""
FIRST_PATIENCE = 0.0
"""The same before it has answered anything: who cannot be reached then is told at once."""
PROMPTED = "universal"
"""The provider whose runtime knows the prompts of models' authors, by the `input_type` of a request."""
INPUT_TYPES = ByPurpose(query="query", passage="document")
ADDED_TOKENS = 12
"""Of what a model reads: what it adds itself, and the prompts that authors put before passages.

The longest that is common, EmbeddingGemma's `title: none | text: `, has eight.
"""


class ModelEmbedder:
    """An embedding strategy, asked of a model entry: an `Embedder`. Made by `embedder_of`.

    model: which vectors it makes (`EmbedderIdentity.model`). batch_size: how many texts are asked for in one request.
    """

    def __init__(self, asked: AsksModels, entry: llamafarm.ModelEntry, database: DatabaseOptions) -> None:
        self._asked = asked
        self._entry = entry
        self._strategy = database.embedding
        self._database = database.name
        self._refused: set[str] = set()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._seen: int | None = None
        self.model = model_identity(entry, self._strategy)
        self.batch_size = self._strategy.config.batch_size or BATCH

    async def vectors(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        """The vectors of texts, in their order; in as many requests as it takes, some of them at once.

        Raises ProviderError; DimensionMismatch where they are of another length than llamafarm.yaml says, or than those
        before them; and UpstreamError for vectors without a direction.
        """
        starts = range(0, len(texts), self.batch_size)
        batches = [texts[start : start + self.batch_size] for start in starts]
        if not batches:
            return np.zeros((0, self._seen or 0), np.float32)
        return np.concatenate(await all_of(self._batch(batch, purpose) for batch in batches))

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text is, those that the model itself adds left out: counted, else estimated."""
        asked = self._asked
        if texts and isinstance(asked, CountsTexts):
            counted = await patiently(lambda: asked.count_tokens(texts, model=self._entry.name), PATIENCE["passage"])
            if counted is not None:
                return counted
        return estimated_tokens(texts)

    async def longest(self) -> int | None:
        """How many tokens of a text the model reads beside what stands before each; None where nobody says."""
        read = await self._context_length()
        if read is None:
            return None
        prompt = self._strategy.config.prompts.passage
        [own] = await self.count_tokens([prompt]) if prompt else [0]
        return max(1, read - ADDED_TOKENS - own)

    async def identity(self) -> EmbedderIdentity:
        """Which model the vectors come from. Where none has come yet, one is asked for; raises what that raises."""
        if self._seen is None:
            await self.vectors(["length"], "passage")
        assert self._seen is not None, "vectors have a length"
        return EmbedderIdentity(self._strategy.name, self.model, self._seen)

    async def _context_length(self) -> int | None:
        asked = self._asked
        if not isinstance(asked, DescribesModels):
            return None
        try:
            info = await patiently(lambda: asked.describe(self._entry.name), PATIENCE["query"])
        except (ModelNotFound, UpstreamError):  # many servers list no models, or not this one, and embed all the same
            return None
        return info.context_length

    async def _batch(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        async with self._room:
            seconds = FIRST_PATIENCE if self._seen is None else PATIENCE[purpose]
            answer = await patiently(lambda: self._ask(texts, purpose), seconds)
        vectors = vectors_of(answer, len(texts), f"The embedding model {self._entry.name!r} ({self._entry.model})")
        self._check_length(vectors.shape[1])
        return vectors

    async def _ask(self, texts: Sequence[str], purpose: Purpose) -> Mapping[str, Any]:
        """The runtime's answer; fields that it refuses are left out from then on."""
        prompt = self._strategy.config.prompts.of(purpose) or ""
        request = {"input": [prompt + text for text in texts] if prompt else list(texts)}
        told = {"encoding_format": "base64", "input_type": self._input_type(purpose)}
        while True:
            more = {name: value for name, value in told.items() if value and name not in self._refused}
            try:
                answer: Mapping[str, Any] = await self._asked.ask(
                    EMBEDDINGS, {**request, **more}, model=self._entry.name
                )
                return answer
            except InvalidRequest as error:
                if error.param not in more:
                    raise
                self._refused.add(error.param)

    def _input_type(self, purpose: Purpose) -> str | None:
        """What says to the runtime what the texts are; nothing where the prompts are the strategy's own."""
        config = self._strategy.config
        if self._entry.provider == PROMPTED and config.prompts == config.input_types == ByPurpose():
            return INPUT_TYPES.of(purpose)
        return config.input_types.of(purpose)

    def _check_length(self, length: int) -> None:
        config = self._strategy.config
        if config.dimension not in (None, length):
            raise DimensionMismatch(
                f"The embedding strategy {self._strategy.name!r} of the database {self._database!r} says that vectors "
                f"have {config.dimension} numbers; those of {self._entry.name!r} ({self._entry.model}) have {length}.",
                hint=f"Write `dimension: {length}`, or leave it out; then `lf rag rebuild {self._database}`.",
            )
        if self._seen not in (None, length):
            raise DimensionMismatch(
                f"{self._entry.name!r} ({self._entry.model}) answered with vectors of {length} numbers, and of "
                f"{self._seen} before.",
                hint=f"Another model answers there now: `lf rag rebuild {self._database}` embeds everything anew.",
            )
        self._seen = length


def embedder_of(project: llamafarm.Project, database: DatabaseOptions, asked: AsksModels) -> ModelEmbedder:
    """What embeds the texts of a database. Raises UsageError for a model entry that is not there, or its own error."""
    return ModelEmbedder(asked, project.entry(entry_name(database, database.embedding, project)), database)
