"""The OpenAI wire of a Lemonade server, whose connections are not safe to use again after a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm.providers.answer import Answer
from llamafarm.providers.base import Call, Endpoint
from llamafarm.providers.http import HttpUpstream
from llamafarm_openai_compat.provider import OpenAIProvider

from llamafarm_lemonade.errors import read_error


class LemonadeUpstream(HttpUpstream):
    """Says `Connection: close` for each stream.

    The server promises to keep the connection and closes it after the stream; a request that is sent on it in between
    is lost, and nobody can tell whether it was read.
    """

    async def open_stream(
        self,
        path: str,
        body: Mapping[str, Any],
        call: Call,
        *,
        stream: bool = True,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Answer:
        """Ask as every upstream does, on a connection that nothing else uses where the answer streams."""
        own = {"connection": "close"} if stream else {}
        return await super().open_stream(path, body, call, stream=stream, headers={**own, **(headers or {})}, **more)


class LemonadeClient(OpenAIProvider):
    """Chat, completions and embeddings, with Lemonade's errors."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint, read_error)
        self.upstream = LemonadeUpstream(endpoint, read_error)
