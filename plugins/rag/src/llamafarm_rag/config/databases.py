"""`databases`: where vectors are kept, and the strategies of each."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from llamafarm_rag.config.embedders import EmbeddingStrategy
from llamafarm_rag.config.names import Name
from llamafarm_rag.config.retrieval import HybridStrategy, RetrievalStrategy
from llamafarm_rag.store.base import StoreSpec
from llamafarm_rag.store.kinds import store_kind

DEFAULT_RETRIEVAL = HybridStrategy(name="hybrid", type="HybridUniversalStrategy")
"""What a database without retrieval strategies is searched by."""


class DatabaseOptions(BaseModel):
    """One database."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    type: str = Field(min_length=1, examples=["ChromaStore"], description="The kind of store, such as `ChromaStore`.")
    config: dict[str, Any] = Field(
        default_factory=dict, validate_default=True, description="What the kind of store is told."
    )
    embedding_strategies: list[EmbeddingStrategy] = Field(min_length=1)
    default_embedding_strategy: str | None = None
    retrieval_strategies: list[RetrievalStrategy] = Field(default_factory=list)
    default_retrieval_strategy: str | None = None

    @property
    def kind(self) -> StoreSpec:
        """The kind of store that `type` names."""
        return store_kind(self.type)

    @property
    def store_config(self) -> BaseModel:
        """`config`, as the kind of store reads it."""
        return self.kind.config.model_validate(self.config)

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

    @field_validator("type")
    @classmethod
    def _kind_is_there(cls, kind: str) -> str:
        store_kind(kind)
        return kind

    @field_validator("config")
    @classmethod
    def _config_fits_the_kind(cls, config: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "type" in info.data:
            store_kind(info.data["type"]).config.model_validate(config)
        return config

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
