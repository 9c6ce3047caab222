"""The OpenAI wire of a Lemonade server, whose connections are not safe to use again after a stream."""

from __future__ import annotations

from llamafarm import Endpoint
from llamafarm_openai_compat import OpenAIProvider

from llamafarm_lemonade.errors import read_error


class LemonadeClient(OpenAIProvider):
    """The operations of the OpenAI wire, with Lemonade's errors.

    The server promises to keep the connection of a stream and closes it after the stream; a request that is sent on it
    in between is lost, and nobody can tell whether it was read. So each stream has a connection of its own.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint, read_error, streams_close=True)
