"""What is known of the model of a turn, where its runtime can say it."""

from __future__ import annotations

import llamafarm
from llamafarm.errors import ProviderError


async def model_info(turn: llamafarm.Turn) -> llamafarm.ModelInfo:
    """What is known of the model. A runtime that cannot say it is asked all the same."""
    try:
        return await turn.model.info()
    except ProviderError:
        return llamafarm.ModelInfo(turn.model.id)
