"""The operation table: one row for each thing that can be asked of a provider.

Routes of the API, paths of the client, the error "cannot do this" and the table in the documents all come from here, so
that a new operation is a new row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from llamafarm.wire.chat import ChatChunk, ChatCompletion, ChatRequest
from llamafarm.wire.completion import Completion, CompletionRequest
from llamafarm.wire.embedding import EmbeddingRequest, EmbeddingResponse


@dataclass(frozen=True)
class Operation:
    """name: what users read. method: the provider's method that does it. path: below the base URL that ends in `/v1`.

    `request`, `answer` and `chunk` are the TypedDicts of the wire; `chunk` is None where nothing streams.
    """

    name: str
    method: str
    path: str
    request: type[Any]
    answer: type[Any]
    chunk: type[Any] | None = None
    body: Literal["json", "multipart"] = "json"

    @property
    def fields(self) -> frozenset[str]:
        """The request's fields that the wire defines."""
        return frozenset(self.request.__annotations__)


CHAT = Operation("chat", "chat", "/chat/completions", ChatRequest, ChatCompletion, ChatChunk)
COMPLETIONS = Operation("completions", "complete", "/completions", CompletionRequest, Completion, Completion)
EMBEDDINGS = Operation("embeddings", "embed", "/embeddings", EmbeddingRequest, EmbeddingResponse)

OPERATIONS: tuple[Operation, ...] = (CHAT, COMPLETIONS, EMBEDDINGS)
