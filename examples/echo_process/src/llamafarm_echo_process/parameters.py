"""What becomes of each field of a chat request: it reaches the program, has no effect anyway, or is refused.

Nothing is dropped without a word: LlamaFarm names the fields without effect in the header `X-LF-Ignored`, and answers a
refused one with status 400. A field that is added to the wire one day is refused until somebody decides.
"""

from __future__ import annotations

import llamafarm
from llamafarm.wire import ChatRequest

MAPPED = frozenset({"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "stop"})
ADVISORY = frozenset({"user", "metadata", "store", "temperature", "top_p", "seed"})
"""The last three steer how a model draws at random, which no echo does."""

PARAMETERS = llamafarm.Parameters(
    advisory=ADVISORY,
    refused=frozenset(ChatRequest.__annotations__) - MAPPED - ADVISORY,
    forward_unknown=False,
)
