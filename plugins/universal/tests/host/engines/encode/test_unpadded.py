"""Rows are read without padding wherever that gives what padding gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from llamafarm_universal.host.engines.encode.unpadded import unpad
from llamafarm_universal.host.models.attention import NAME

TALL = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
UNPADDED = {
    "Bert": TALL,
    "Roberta": {**TALL, "max_position_embeddings": 66, "pad_token_id": 1},
    "Qwen3": {**TALL, "num_key_value_heads": 1, "head_dim": 16},
    "Llama": {**TALL, "num_key_value_heads": 2},
}
PADDED = {
    "ModernBert": {**TALL, "pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2},  # layers with windows
    "MPNet": TALL,  # computes its positions itself
    "Gemma3Text": {**TALL, "num_key_value_heads": 1, "head_dim": 16, "pad_token_id": 0},  # layers with windows
}


def build(family: str, settings: dict[str, Any], ending: str = "Model") -> Any:
    import transformers

    torch.manual_seed(0)
    name = family.removesuffix("Text") + ("TextModel" if family.endswith("Text") else ending)
    return getattr(transformers, name)(getattr(transformers, f"{family}Config")(**settings)).eval()


def rows(*lengths: int) -> dict[str, torch.Tensor]:
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids = torch.randint(10, 100, mask.shape, generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids * mask + ~mask, "attention_mask": mask.long()}


@pytest.mark.parametrize("family", UNPADDED)
def test_states_are_those_of_a_padded_batch(family: str) -> None:
    model = build(family, UNPADDED[family])
    batch = rows(3, 30, 11, 1)
    with torch.inference_mode():
        wanted = model(**batch)
        assert unpad(model)
        states = model(**batch)
    kept = batch["attention_mask"].bool()
    assert torch.allclose(states.last_hidden_state[kept], wanted.last_hidden_state[kept], atol=1e-5)
    assert not states.last_hidden_state[~kept].any()
    if wanted.get("pooler_output") is not None:
        assert torch.allclose(states.pooler_output, wanted.pooler_output, atol=1e-5)


def test_a_head_for_classes_stands_on_a_backbone_without_padding() -> None:
    model = build("Bert", TALL, "ForSequenceClassification")
    batch = {**rows(3, 30, 11), "token_type_ids": torch.ones(3, 30, dtype=torch.long)}
    with torch.inference_mode():
        wanted = model(**batch).logits
        assert unpad(model.base_model)
        assert torch.allclose(model(**batch).logits, wanted, atol=1e-5)


def test_linear_layers_see_no_padding() -> None:
    model = build("Bert", TALL)
    assert unpad(model)
    seen = []
    model.encoder.layer[0].intermediate.dense.register_forward_hook(
        lambda _module, given, _output: seen.append(tuple(given[0].shape[:-1]))
    )
    with torch.inference_mode():
        model(**rows(3, 30, 11))
        model(**rows(30, 30))  # nothing to leave out
    assert seen == [(1, 44), (2, 30)]


@pytest.mark.parametrize("family", PADDED)
def test_a_model_that_needs_more_than_its_own_row_is_left_as_it_is(family: str) -> None:
    model = build(family, PADDED[family])
    forward, batch = model.forward, rows(3, 30, 11)
    with torch.inference_mode():
        wanted = model(**batch).last_hidden_state
        assert not unpad(model)
        assert torch.equal(model(**batch).last_hidden_state, wanted)
    assert model.forward == forward


def test_in_the_engine(encoding: Callable[..., Any], bert: Any) -> None:
    model = encoding(Path(bert.id), model_type="embedding")
    encoder = model.engine._encoder
    assert not encoder.pads
    assert encoder._backbone.config._attn_implementation == NAME
