"""From Ollama's vectors to the answer of the OpenAI wire.

Source: Ollama's API (0.33), "Generate embeddings"; an empty text is left out of the answer, so they are counted.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Any, cast

from llamafarm.http import Answer
from llamafarm.wire import Embedding, EmbeddingResponse


def vectors_of(said: Mapping[str, Any], texts: int, answer: Answer) -> list[list[float]]:
    """The vectors of so many texts. Raises UpstreamError where they are not what was asked for."""
    vectors = said.get("embeddings")
    if not isinstance(vectors, list) or len(vectors) != texts:
        came = len(vectors) if isinstance(vectors, list) else "no"
        raise answer.broken(f"holds {came} embeddings for {texts} texts")
    if not all(isinstance(vector, list) and {*map(type, vector)} <= {float, int} for vector in vectors):
        raise answer.broken("holds an embedding that is no list of numbers")
    return vectors


def response(vectors: list[list[float]], said: Mapping[str, Any], model: str, *, packed: bool) -> EmbeddingResponse:
    """The answer. packed: each vector as base64 of its float32, little-endian."""
    rows: list[Embedding] = [
        {"object": "embedding", "index": at, "embedding": _packed(vector) if packed else vector}
        for at, vector in enumerate(vectors)
    ]
    tokens = said.get("prompt_eval_count", 0)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return cast("EmbeddingResponse", {"object": "list", "model": model, "data": rows, "usage": usage})


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
