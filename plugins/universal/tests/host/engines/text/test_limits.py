"""How many tokens a model can take: as many as its table of positions has places for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from llamafarm_universal.host.engines.text.limits import token_limit

SMALL: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "pad_token_id": 1,
}


@pytest.mark.parametrize(
    ("name", "limit"),
    [("Roberta", 38), ("XLMRoberta", 38), ("Camembert", 38), ("MPNet", 38), ("Bert", 40), ("GPT2", 40), ("OPT", 40)],
)
def test_the_limit_is_taken_and_one_more_is_not(name: str, limit: int) -> None:
    model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**SMALL)).eval()
    assert token_limit(model) == limit
    with torch.inference_mode():
        model(input_ids=torch.full((1, limit), 7))
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=torch.full((1, limit + 1), 7))


def test_relative_positions_have_the_limit_that_the_configuration_says() -> None:
    model = transformers.LlamaModel(transformers.LlamaConfig(**SMALL))
    assert token_limit(model) == 40
