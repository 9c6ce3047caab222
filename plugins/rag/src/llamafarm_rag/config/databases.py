"""`databases`: where vectors are kept, and the strategies of each."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llamafarm_rag.config.embedders import EmbeddingStrategy
from llamafarm_rag.config.names import Name
from llamafarm_rag.config.retrieval import HybridStrategy, RetrievalStrategy

DEFAULT_RETRIEVAL = HybridStrategy(name="hybrid", type="HybridUniversalStrategy")
"""What a database without retrieval strategies is searched by."""


class DatabaseOptions(BaseModel):
    """One database."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    type: str = Field(min_length=1, description="The kind of store, such as `ChromaStore`.")
    config: dict[str, Any] = Field(default_factory=dict, description="What the kind of store is told.")
    embedding_strategies: list[EmbeddingStrategy] = Field(min_length=1)
    default_embedding_strategy: str | None = None
    retrieval_strategies: list[RetrievalStrategy] = Field(default_factory=list)
    default_retrieval_strategy: str | None = None

    @property
    def embedding(self) -> EmbeddingStrategy:
        """The strategy that its texts are embedded by."""
        named = [one for one in self.embedding_strategies if one.name == self.default_embedding_strategy]
        return named[0] if named else max(self.embedding_strategies, key=lambda strategy: strategy.priority)

    @property
    def retrieval(self) -> RetrievalStrategy:
        """The strategy that it is searched by where nobody names one."""
        named = [one for one in self.retrieval_strategies if one.name == self.default_retrieval_strategy]
        marked = [one for one in self.retrieval_strategies if one.default]
        return next(iter([*named, *marked, *self.retrieval_strategies]), DEFAULT_RETRIEVAL)

    @property
    def strategies(self) -> list[RetrievalStrategy]:
        """All that may be named."""
        return self.retrieval_strategies or [DEFAULT_RETRIEVAL]

    @model_validator(mode="after")
    def _names_are_there(self) -> Self:
        for what, wanted, there in (
            ("embedding", self.default_embedding_strategy, [one.name for one in self.embedding_strategies]),
            ("retrieval", self.default_retrieval_strategy, [one.name for one in self.strategies]),
        ):
            if len({*there}) < len(there):
                raise ValueError(f"two {what} strategies of {self.name!r} have one name")
            if wanted is not None and wanted not in there:
                raise ValueError(f"default_{what}_strategy is {wanted!r}; there are: {', '.join(there)}")
        return self
