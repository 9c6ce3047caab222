"""The options of the handler, `handlers: {rag: …}` or `handler_options` of an entry, and its request fields."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from llamafarm import ChatFlag
from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200)]
TopK = Annotated[int, Field(ge=1, le=1000)]
Queries = Annotated[list[Annotated[str, Field(min_length=1, max_length=10_000)]], Field(min_length=1, max_length=20)]

REQUEST_FIELDS: dict[str, Any] = {
    "rag_enabled": bool | None,
    "database": Name | None,
    "dataset": Name | None,
    "rag_retrieval_strategy": Name | None,
    "rag_top_k": TopK | None,
    "rag_score_threshold": float | None,
    "rag_queries": Queries | None,
    "rag_filters": dict[str, Any] | None,
}
"""The fields of a request; one that is not given, or null, leaves it to the options, and these to the strategy."""

FLAGS = (
    ChatFlag("--no-rag", "rag_enabled", "Answer without documents.", value=False),
    ChatFlag("--database", "database", "The database of documents to answer from.", metavar="NAME"),
    ChatFlag("--dataset", "dataset", "The dataset of documents to answer from.", metavar="NAME"),
    ChatFlag("--retrieval-strategy", "rag_retrieval_strategy", "How passages are found.", metavar="NAME"),
    ChatFlag("--rag-top-k", "rag_top_k", "How many passages are used.", metavar="N"),
    ChatFlag("--rag-score-threshold", "rag_score_threshold", "The least score of a passage.", metavar="SCORE"),
)
"""The options of `lf chat` that set them."""


class RagOptions(BaseModel):
    """How questions are answered from documents."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answer: Literal["model", "quote"] = Field(
        default="model",
        description="Who answers: the model, from the passages; or, with `quote`, nobody: their sentences that come "
        "nearest to the question are the answer, for models that cannot read so much.",
    )
    enabled: bool = Field(default=True, description="Whether a request that does not say is answered from documents.")
    database: Name | None = Field(default=None, description="By default the default one of the section `rag`.")
    dataset: Name | None = Field(default=None, description="By default all of the database.")
    retrieval_strategy: Name | None = Field(default=None, description="By default the database's default one.")
    top_k: TopK | None = Field(default=None, description="How many passages are used; by default as the strategy says.")
    score_threshold: float | None = Field(
        default=None, description="The least score of a passage; by default as the strategy says."
    )
    answer_without_context: Literal["refuse", "model"] = Field(
        default="refuse", description="Where nothing is found: the refusal, or the model by itself."
    )
    refusal: str = Field(
        default="I cannot find an answer to that in the documents.", min_length=1, description="What is said then."
    )
    verify: Literal["off", "quote"] = Field(
        default="off", description="`quote`: sentences that cite a source which does not support them are flagged."
    )
    verify_model: Name | None = Field(
        default=None, description="A model entry that reranks, to verify by; by default common words decide."
    )
    attribution: bool = Field(
        default=True, description="Whether sentences without a mark get that of a source that clearly supports them."
    )
    rewrite: Name = Field(
        default="auto",
        description="Who puts later questions of a conversation so that they stand alone: `auto` is the model that is "
        "asked, `off` nobody, anything else a model entry.",
    )
    context_share: float = Field(
        default=0.5, gt=0, le=1, description="How much of the model's context passages may take."
    )
    instructions: str | None = Field(
        default=None, min_length=1, description="What the model is told, in place of ours. `{refusal}` is filled in."
    )
