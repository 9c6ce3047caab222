"""Embeddings: texts in, vectors out.

Source: OpenAI's API reference, "Embeddings". A vector is a list of floats, or base64 of its float32 bytes,
little-endian.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class EmbeddingRequest(TypedDict):
    input: str | list[str] | list[int] | list[list[int]]
    model: NotRequired[str]
    encoding_format: NotRequired[Literal["float", "base64"] | None]
    dimensions: NotRequired[int | None]
    user: NotRequired[str | None]


class Embedding(TypedDict):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(TypedDict):
    prompt_tokens: int
    total_tokens: int


class EmbeddingResponse(TypedDict):
    object: Literal["list"]
    model: str
    data: list[Embedding]
    usage: NotRequired[EmbeddingUsage]
