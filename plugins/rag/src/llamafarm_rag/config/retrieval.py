"""`retrieval_strategies` of a database: how passages are found for a question."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llamafarm_rag.config.names import Name

Filters = dict[str, Any]
"""What the metadata of a passage must say: `{"author": "Ann"}`, or `{"year": {"$gte": 2020}}`."""


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    top_k: int = Field(default=5, ge=1, le=1000, description="How many passages are used.")
    score_threshold: float | None = Field(default=None, description="The least score that a passage is used with.")


class SimilarityConfig(_Config):
    """The passages whose vectors are nearest to the question's."""

    distance_metric: Literal["cosine"] = "cosine"


class FilteredConfig(SimilarityConfig):
    """The nearest of those whose metadata fit."""

    filters: Filters = Field(default_factory=dict)
    filter_mode: Literal["pre", "post"] = "pre"
    fallback_multiplier: int = Field(
        default=3, ge=1, description="With `post`: how many times `top_k` are looked through."
    )


class MultiQueryConfig(SimilarityConfig):
    """Several wordings of the question, their findings fused."""

    num_queries: int = Field(default=3, ge=2, le=10)
    model: str | None = Field(default=None, description="The model entry that words them; by default the one asked.")
    aggregation_method: Literal["max", "mean", "weighted", "reciprocal_rank"] = "reciprocal_rank"


class RerankedConfig(SimilarityConfig):
    """More than are needed, put in order by a reranker."""

    model: str = Field(min_length=1, description="The name of a model entry that reranks.")
    initial_k: int = Field(default=30, ge=1, le=1000)
    base: str | None = Field(default=None, description="The strategy that finds them; by default similarity.")


class HybridConfig(_Config):
    """What is near in meaning and what has the same words, their ranks fused (reciprocal rank fusion)."""

    initial_k: int = Field(default=30, ge=1, le=1000, description="How many each search brings.")
    rank_constant: int = Field(default=60, ge=1, description="k of the fusion: 1 / (k + rank).")
    weights: dict[Literal["similarity", "words"], float] = Field(default_factory=dict)


class _Strategy(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    default: bool = False


class SimilarityStrategy(_Strategy):
    """See `SimilarityConfig`."""

    type: Literal["BasicSimilarityStrategy"]
    config: SimilarityConfig = SimilarityConfig()


class FilteredStrategy(_Strategy):
    """See `FilteredConfig`."""

    type: Literal["MetadataFilteredStrategy"]
    config: FilteredConfig = FilteredConfig()


class MultiQueryStrategy(_Strategy):
    """See `MultiQueryConfig`."""

    type: Literal["MultiQueryStrategy"]
    config: MultiQueryConfig = MultiQueryConfig()


class RerankedStrategy(_Strategy):
    """See `RerankedConfig`."""

    type: Literal["RerankedStrategy", "CrossEncoderRerankedStrategy"]
    config: RerankedConfig


class HybridStrategy(_Strategy):
    """See `HybridConfig`."""

    type: Literal["HybridUniversalStrategy"]
    config: HybridConfig = HybridConfig()


RetrievalStrategy = Annotated[
    SimilarityStrategy | FilteredStrategy | MultiQueryStrategy | RerankedStrategy | HybridStrategy,
    Field(discriminator="type"),
]
