"""Embeddings: texts and pictures in, vectors out.

Source: OpenAI's API reference, "Embeddings". A vector is a list of floats, or base64 of its float32 bytes,
little-endian.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

EmbeddingInput = str | dict[str, Any] | list[str] | list[str | dict[str, Any]] | list[int] | list[list[int]]


class EmbeddingRequest(TypedDict):
    """Texts to be embedded, and pictures by models that have both in one space.

    input: a text or its token ids, or a list of either: one vector for each. An object is a text, `{"text": …}`, or a
    picture, `{"image": …}` or `{"type": "image_url", "image_url": {"url": …}}`: a data URL, base64 or an address, as
    far as the runtime takes it. encoding_format: lists of floats, or base64 of their little-endian float32 bytes.
    dimensions: the length of the vectors, where the model has a choice. input_type: what the texts are, `query` or
    `document`, for models that embed the two differently.

    Source: OpenAI's API reference, "Create embeddings"; of objects Jina's, and the parts of OpenAI's chat messages; of
    `input_type` Cohere's, Voyage's and NVIDIA's, whose names of the types differ.
    """

    input: EmbeddingInput
    model: NotRequired[str]
    encoding_format: NotRequired[Literal["float", "base64"] | None]
    dimensions: NotRequired[int | None]
    input_type: NotRequired[str | None]
    user: NotRequired[str | None]


class Embedding(TypedDict):
    """One vector. index: the number of its input."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(TypedDict):
    prompt_tokens: int
    total_tokens: int


class EmbeddingResponse(TypedDict):
    """The vectors, each with the `index` of its input, in the order of the inputs. usage: in tokens.

    Source: OpenAI's API reference, "Create embeddings".
    """

    object: Literal["list"]
    model: str
    data: list[Embedding]
    usage: NotRequired[EmbeddingUsage]
