"""`embedding_strategies` of a database: which model turns its texts into vectors."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from llamafarm_rag.config.names import Name


class ByPurpose(BaseModel):
    """What differs between questions and the passages that are searched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str | None = None
    passage: str | None = None

    def of(self, purpose: Literal["passage", "query"]) -> str | None:
        """What texts of that purpose have."""
        return self.query if purpose == "query" else self.passage


class _EmbedderConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    dimension: int | None = Field(
        default=None, ge=1, description="How many numbers a vector has; checked against what the model answers."
    )
    batch_size: int | None = Field(default=None, ge=1, description="How many texts are sent at a time; by default 64.")
    prompts: ByPurpose = Field(
        default=ByPurpose(),
        description="What stands before each text, such as `search_query: `, where the runtime adds no prompts itself.",
    )
    input_types: ByPurpose = Field(
        default=ByPurpose(),
        description="What is sent as `input_type`; by default `query` and `document` to the Universal Runtime, which "
        "adds the prompts of the model's author, and nothing to others.",
    )


class _ModelConfig(_EmbedderConfig):
    model: str = Field(min_length=1, description="The model, as its runtime calls it.")
    base_url: str | None = Field(default=None, description="The address of the runtime, where it is not the usual one.")
    api_key: str | None = None


class EntryConfig(_EmbedderConfig):
    """A model of the project."""

    model: str = Field(min_length=1, description="The name of a model entry of this project.")


class UniversalConfig(_ModelConfig):
    """A model that the Universal Runtime executes."""

    revision: str | None = None
    trust_remote_code: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """What a model entry says of it beside its name."""
        given = {"revision": self.revision, "trust_remote_code": self.trust_remote_code or None}
        return {"transformers": {"model_type": "embedding", **{key: value for key, value in given.items() if value}}}


class OtherConfig(_ModelConfig):
    """A model that another runtime executes."""

    @property
    def settings(self) -> dict[str, Any]:
        """Nothing."""
        return {}


class _Strategy(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    condition: str | None = Field(default=None, description="Not used: the strategy is chosen by name or priority.")
    priority: int = Field(default=0, description="Of several, the one with the highest is the default.")


class EntryEmbedder(_Strategy):
    """Embeds with a model entry of the project."""

    type: Literal["ModelEmbedder"]
    config: EntryConfig


class UniversalEmbedder(_Strategy):
    """Embeds with a model of the Universal Runtime."""

    provider: ClassVar[str] = "universal"
    type: Literal["UniversalEmbedder", "HuggingFaceEmbedder", "SentenceTransformerEmbedder"]
    config: UniversalConfig


class OllamaEmbedder(_Strategy):
    """Embeds with a model of an Ollama server."""

    provider: ClassVar[str] = "ollama"
    type: Literal["OllamaEmbedder"]
    config: OtherConfig


class OpenAIEmbedder(_Strategy):
    """Embeds with a model of OpenAI's, or of a server that speaks its wire."""

    provider: ClassVar[str] = "openai"
    type: Literal["OpenAIEmbedder"]
    config: OtherConfig


ModelStrategy = UniversalEmbedder | OllamaEmbedder | OpenAIEmbedder
"""The strategies that name a model by what its runtime calls it."""
EmbeddingStrategy = Annotated[
    EntryEmbedder | UniversalEmbedder | OllamaEmbedder | OpenAIEmbedder, Field(discriminator="type")
]
