"""What engines work with is estimated from the configuration, and near what they use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import language_models
import pytest
from llamafarm_universal.host.engines.text.state_runner import StateRunner
from llamafarm_universal.host.engines.working import (
    CACHED_TOKENS,
    batch_bytes,
    cache_bytes,
    doubles_at,
    state_bytes,
    wished_tokens,
)
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.messages.plan import Candidate


def candidate(config: Any) -> Candidate:
    return Candidate(ModelRef("org/model"), Path(), config, "text", "cpu", "fp32", 10)


@pytest.mark.parametrize("family", ["Llama", "GPT2", "Qwen3", "Gemma3Text"])
def test_a_cache_of_so_many_tokens_takes_what_is_expected(family: str) -> None:
    import torch
    import transformers

    sizes: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    if family != "GPT2":
        sizes |= {"num_key_value_heads": 2, "intermediate_size": 64, "head_dim": 8}
    config = getattr(transformers, f"{family}Config")(**sizes)
    model = transformers.AutoModelForCausalLM.from_config(config)
    tokens = 16
    with torch.inference_mode():
        cache = model(torch.ones(1, tokens, dtype=torch.long), use_cache=True).past_key_values
    taken = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert cache_bytes(candidate(config.to_dict()), 100 * tokens) == 100 * taken


@pytest.mark.parametrize("family", ["Mamba", "Mamba2", "FalconMamba", "Jamba", "Qwen3Next", "Lfm2"])
def test_states_take_no_more_than_is_expected_and_a_third_of_it_at_least(family: str) -> None:
    runner = StateRunner(language_models.build(family), "cpu")
    config = runner._module.config.to_dict()
    assert runner.text_bytes <= state_bytes(candidate(config)) <= 3 * runner.text_bytes
    assert state_bytes(candidate({"text_config": config})) == state_bytes(candidate(config))


def test_a_model_that_keeps_states_alone_has_no_cache_of_keys() -> None:
    assert cache_bytes(candidate({"hidden_size": 8, "num_hidden_layers": 2, "num_heads": 4, "state_size": 8}), 9) == 0


def test_the_shapes_of_a_nested_configuration_count() -> None:
    inner = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    assert cache_bytes(candidate({"text_config": inner}), 9) == cache_bytes(candidate(inner), 9) > 0


def test_a_batch_of_pictures_counts_where_it_takes_more_than_one_of_texts() -> None:
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 77}
    large = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "patch_size": 16}
    assert batch_bytes(candidate({"text_config": small, "vision_config": large})) == batch_bytes(candidate(large))
    assert batch_bytes(candidate({"text_config": large, "vision_config": small})) == batch_bytes(candidate(large))


def test_a_model_without_attention_is_not_guessed_at() -> None:
    config = {"model_type": "mamba", "hidden_size": 32, "num_hidden_layers": 2}
    assert cache_bytes(candidate(config), 9) == batch_bytes(candidate(config)) == 0


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"max_position_embeddings": 40_960}, 40_960),
        ({"text_config": {"max_position_embeddings": 40_960}}, 40_960),
        ({"max_position_embeddings": 2048}, 4 * CACHED_TOKENS),  # many short texts
        ({"max_position_embeddings": 10_000_000}, 131_072),
        ({}, 4 * CACHED_TOKENS),
    ],
)
def test_a_text_model_can_use_room_for_its_longest_text(config: Any, tokens: int) -> None:
    assert wished_tokens(config) == tokens


def test_attention_outweighs_all_else_the_sooner_the_smaller_a_model_is() -> None:
    small = {"hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2}
    large = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}
    assert 2000 < doubles_at(small, 372_000_000) < doubles_at(large, 8_000_000_000) < 20_000
    assert doubles_at({"model_type": "mamba"}, 10**9) > 10**9


def test_a_batch_takes_more_the_wider_the_model_is() -> None:
    small, large = ({"hidden_size": size, "num_hidden_layers": 2, "num_attention_heads": 4} for size in (64, 640))
    assert 0 < batch_bytes(candidate(small)) < batch_bytes(candidate(large))
