"""Which way a model entry classifies."""

from __future__ import annotations

from collections.abc import Mapping

import llamafarm
from llamafarm.wire import CHAT, CLASSIFY, EMBEDDINGS, Operation

from llamafarm_agents.classifier.options import Method

OPERATIONS: Mapping[Method, Operation] = {"decoding": CHAT, "classify": CLASSIFY, "embeddings": EMBEDDINGS}
"""What a model is asked for by each method."""


def method_of(entry: llamafarm.ModelEntry) -> Method:
    """What an entry is for; where its file does not say that, it chats."""
    if entry.serves(CHAT) is not True:
        if entry.serves(CLASSIFY):
            return "classify"
        if entry.serves(EMBEDDINGS):
            return "embeddings"
    return "decoding"
