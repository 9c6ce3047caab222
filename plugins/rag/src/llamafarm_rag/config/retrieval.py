"""`retrieval_strategies` of a database: how passages are found for a question."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llamafarm_rag.config.names import Name
from llamafarm_rag.config.old_names import renamed

Filters = dict[str, Any]
"""What the metadata of a passage must say: `{"author": "Ann"}`, or `{"year": {"$gte": 2020}}`."""
Aggregation = Literal["max", "mean", "weighted", "reciprocal_rank"]
_BASE = "The name of the strategy that finds them; by default meaning and words, as a hybrid one."


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    top_k: int = Field(default=5, ge=1, le=1000, description="How many passages are used.")
    score_threshold: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="The least score that a passage is used with: its cosine similarity to the question, or the "
        "reranker's score.",
    )
    filters: Filters = Field(
        default_factory=dict, description="What the metadata of a passage must say; those of a request are added."
    )


class SimilarityConfig(_Config):
    """The passages whose vectors are nearest to the question's."""

    distance_metric: Literal["cosine"] = Field(
        default="cosine", description="Vectors have length 1: Euclidean distance would put them in the same order."
    )


class FilteredConfig(SimilarityConfig):
    """The nearest of those whose metadata fit."""

    filter_mode: Literal["pre", "post"] = Field(
        default="pre", description="Whether the database filters (`pre`), or what it has found is filtered (`post`)."
    )
    fallback_multiplier: int = Field(
        default=3, ge=1, description="With `post`: how many times as many passages are looked through."
    )


class MultiQueryConfig(SimilarityConfig):
    """Several wordings of the question, their findings fused."""

    num_queries: int = Field(default=3, ge=2, le=10, description="How many at most, the question itself among them.")
    model: str | None = Field(default=None, description="The model entry that words them; by default the one asked.")
    prompt: str | None = Field(
        default=None, description="What it is told in place of our own; `{question}` and `{count}` are filled in."
    )
    aggregation_method: Aggregation = Field(
        default="reciprocal_rank",
        description="What passages are put in order by: their ranks for each wording (`reciprocal_rank`), or the "
        "highest, mean or weighted mean of their similarities.",
    )
    query_weights: list[Annotated[float, Field(gt=0)]] | None = Field(
        default=None,
        min_length=1,
        description="For `weighted` and `reciprocal_rank`, the question's first; by default its wordings count half.",
    )
    base: str | None = Field(default=None, description=_BASE)


class RerankedConfig(_Config):
    """More than are needed, put in order by a reranker."""

    model: str = Field(min_length=1, description="The name of a model entry that reranks.")
    initial_k: int = Field(default=30, ge=1, le=1000, description="How many the reranker reads.")
    base: str | None = Field(default=None, description=_BASE)
    score_scale: Literal["auto", "probability", "cosine", "logit"] = Field(
        default="auto",
        description="What the reranker's scores are. `auto`: by their range; from 0 to 1 they are probabilities, from "
        "-1 to 1 cosines, else logits. A score of ours is from 0 to 1.",
    )

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, options: Any) -> Any:
        return renamed(
            options,
            {"final_k": "top_k", "relevance_threshold": "score_threshold"},
            {
                "rerank_factors": "a reranker reads question and passage; name its model entry as `model`.",
                "normalize_scores": "scores are always brought to 0..1 (see `score_scale`); leave it out.",
                "model_name": "write `model: NAME`, the name of a model entry that reranks.",
                "base_strategy": "write `base: NAME`, the name of another retrieval strategy of this database.",
                "base_strategy_config": "write it as a strategy of its own, and its name as `base`.",
                "timeout": "time limits are the model entry's (`timeouts`).",
            },
        )


class Weights(BaseModel):
    """How much each search counts in the fusion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    similarity: float = Field(default=1.0, ge=0)
    words: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _one_counts(self) -> Self:
        if not self.similarity and not self.words:
            raise ValueError("one of the two must be more than 0")
        return self


class HybridConfig(_Config):
    """What is near in meaning and what has the same words, in one order."""

    initial_k: int = Field(default=50, ge=1, le=1000, description="How many each search brings.")
    rank_constant: int = Field(
        default=10,
        ge=1,
        description="k of the fusion: weight / (k + rank). The larger it is, the more alike ranks count.",
    )
    weights: Weights = Weights()
    combination_method: Literal["weighted_average", "rank_fusion"] = Field(
        default="weighted_average",
        description="What the order is made by: the average of a passage's similarity and its share of the words, or "
        "both its ranks (reciprocal rank fusion); each by `weights`.",
    )

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, options: Any) -> Any:
        return renamed(
            options,
            {"final_k": "top_k"},
            {
                "strategies": "a hybrid search is one for meaning and one for words; their shares are "
                "`weights: {similarity: 1, words: 1}`, and what a sub-strategy filters by is `filters`.",
            },
        )


class _Strategy(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    default: bool = False


class SimilarityStrategy(_Strategy):
    """See `SimilarityConfig`."""

    type: Literal["BasicSimilarityStrategy", "BasicSimilarity"]
    config: SimilarityConfig = SimilarityConfig()


class FilteredStrategy(_Strategy):
    """See `FilteredConfig`."""

    type: Literal["MetadataFilteredStrategy", "MetadataFiltered"]
    config: FilteredConfig = FilteredConfig()


class MultiQueryStrategy(_Strategy):
    """See `MultiQueryConfig`."""

    type: Literal["MultiQueryStrategy", "MultiQuery"]
    config: MultiQueryConfig = MultiQueryConfig()


class RerankedStrategy(_Strategy):
    """See `RerankedConfig`."""

    type: Literal["RerankedStrategy", "Reranked", "CrossEncoderRerankedStrategy", "CrossEncoderReranked"]
    config: RerankedConfig


class HybridStrategy(_Strategy):
    """See `HybridConfig`."""

    type: Literal["HybridUniversalStrategy", "HybridUniversal"]
    config: HybridConfig = HybridConfig()


RetrievalStrategy = Annotated[
    SimilarityStrategy | FilteredStrategy | MultiQueryStrategy | RerankedStrategy | HybridStrategy,
    Field(discriminator="type"),
]
