"""A model with other forms of its layers answers as before, whatever its architecture; else it keeps its own."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from llamafarm_universal.host.models.linears import Accelerated, accelerate, bytes_of_forms
from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.host.models.linears.packed import Packed
from llamafarm_universal.host.models.linears.probe import answer_of
from told import Told
from torch import nn

PACKED = {"plain": 2.0, "packed": 1.0}
SMALL = {
    "vocab_size": 400,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
FOR_ENCODERS = {name: value for name, value in SMALL.items() if name != "num_key_value_heads"}
FOR_GPT2 = {"vocab_size": 400, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128}
FOR_T5 = {"vocab_size": 400, "d_model": 64, "d_ff": 128, "num_layers": 2, "num_heads": 4, "d_kv": 16}
FOR_CLIP: dict[str, Any] = {
    "text_config": {**FOR_ENCODERS, "max_position_embeddings": 32},
    "vision_config": {**FOR_ENCODERS, "image_size": 32, "patch_size": 16},
}
MODELS: dict[str, tuple[str, str, dict[str, Any], Accelerated]] = {
    "llama": ("AutoModelForCausalLM", "llama", SMALL, Accelerated(15, 10, 5)),
    "qwen2, tied": ("AutoModelForCausalLM", "qwen2", {**SMALL, "tie_word_embeddings": True}, Accelerated(15, 10, 5)),
    "qwen3": ("AutoModelForCausalLM", "qwen3", {**SMALL, "head_dim": 16}, Accelerated(15, 10, 9)),
    "gemma 3": ("AutoModelForCausalLM", "gemma3_text", {**SMALL, "head_dim": 16}, Accelerated(15, 10, 13)),
    "phi": ("AutoModelForCausalLM", "phi", SMALL, Accelerated(13, 6, 0)),
    "gpt-2": ("AutoModelForCausalLM", "gpt2", FOR_GPT2, Accelerated(9, 0, 0)),
    "mamba": ("AutoModelForCausalLM", "mamba", {**SMALL, "state_size": 8}, Accelerated(6, 0, 3)),
    "mixtral": ("AutoModelForCausalLM", "mixtral", {**SMALL, "num_local_experts": 4}, Accelerated(9, 6, 5)),
    "bert": ("AutoModel", "bert", FOR_ENCODERS, Accelerated(13, 6, 0)),
    "bert, classes": ("AutoModelForSequenceClassification", "bert", FOR_ENCODERS, Accelerated(14, 6, 0)),
    "gpt-2, classes": ("AutoModelForSequenceClassification", "gpt2", FOR_GPT2, Accelerated(9, 0, 0)),
    "roberta, names": ("AutoModelForTokenClassification", "roberta", FOR_ENCODERS, Accelerated(13, 6, 0)),
    "albert": ("AutoModel", "albert", FOR_ENCODERS, Accelerated(8, 0, 0)),
    "t5, encoder": ("AutoModelForTextEncoding", "t5", FOR_T5, Accelerated(10, 6, 5)),
    "t5": ("AutoModelForSeq2SeqLM", "t5", FOR_T5, Accelerated(29, 16, 12)),
    "clip": ("AutoModel", "clip", FOR_CLIP, Accelerated(13, 6, 0)),
}
"""Auto class, model type, configuration, and what is exchanged where all forms are faster."""


def make(name: str, dtype: torch.dtype = torch.float32) -> Any:
    auto_class, model_type, settings, _ = MODELS[name]
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(model_type, **settings)
    model = getattr(transformers, auto_class).from_config(config, dtype=dtype)
    return model.eval().requires_grad_(False)


def distance(answer: torch.Tensor, other: torch.Tensor) -> float:
    return float((answer.float() - other.float()).norm() / answer.float().norm())


@pytest.mark.parametrize("name", MODELS)
def test_models_of_all_kinds_answer_as_before(name: str) -> None:
    model = make(name)
    before = answer_of(model)
    assert accelerate(model, Told(**PACKED), small=0) == MODELS[name][3]
    assert distance(before, answer_of(model)) < 2e-5


@pytest.mark.parametrize("name", ["llama", "mamba", "t5, encoder", "clip"])
def test_so_they_do_in_bf16(name: str) -> None:
    model = make(name, torch.bfloat16)
    before = answer_of(model)
    assert accelerate(model, Told(plain=2.0, packed=1.0, widened=1.1), small=0).layers
    assert distance(before, answer_of(model)) < 0.02


def test_generated_text_is_the_same() -> None:
    model = make("llama")
    prompt = torch.tensor([[5, 6, 7, 8]])
    options = {"max_new_tokens": 20, "do_sample": False, "pad_token_id": 0}
    before = model.generate(prompt, **options)
    accelerate(model, Told(**PACKED), small=0)
    assert torch.equal(model.generate(prompt, **options), before)


def test_forms_are_chosen_by_shape_for_siblings_together() -> None:
    told = Told(**PACKED)
    accelerate(make("llama"), told, small=0)
    assert {str(shape) for shape in told.shapes} == {
        "128x64 float32",  # query, key and value
        "64x64 float32",
        "256x64 float32",  # gate and up
        "64x128 float32",
        "400x64 float32",
    }


def test_small_layers_are_left_alone() -> None:
    assert accelerate(make("llama"), Told(**PACKED), small=20_000) == Accelerated(1, 0, 5)


def test_where_torchs_own_way_is_fastest_nothing_changes() -> None:
    model = make("llama")
    assert accelerate(model, Told(plain=1.0, packed=2.0), small=0).layers == 0
    assert not any(isinstance(module, Form) for module in model.modules())


def test_memory_is_what_it_was_and_is_told() -> None:
    model = make("llama")
    before = sum(parameter.nbytes for parameter in model.parameters())
    freed = [parameter.data_ptr() for name, parameter in model.named_parameters() if "proj" in name]
    accelerate(model, Told(**PACKED), small=0)
    gc.collect()
    left = {parameter.data_ptr() for parameter in model.parameters()}
    assert not left & set(freed)
    assert sum(parameter.nbytes for parameter in model.parameters()) + bytes_of_forms(model) == before


def test_a_head_that_is_tied_to_the_embedding_costs_a_copy_which_is_counted() -> None:
    model = make("qwen2, tied")
    before = sum(parameter.nbytes for parameter in model.parameters())
    accelerate(model, Told(**PACKED), small=0)
    after = sum(parameter.nbytes for parameter in model.parameters()) + bytes_of_forms(model)
    assert after == before + model.get_input_embeddings().weight.nbytes


class Wrong(Packed):
    """Is wrong where the model's own weights are computed, as no trial can foresee."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * 1.1


class Broken(Packed):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no such product")


@pytest.mark.parametrize("form", [Wrong, Broken])
@pytest.mark.parametrize("name", ["qwen2, tied", "gpt-2"])
def test_a_model_that_would_answer_otherwise_keeps_its_own(
    form: type[Form], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llamafarm_universal.host.models.linears import replace

    model, same = make(name), make(name)
    monkeypatch.setattr(replace, "kinds_of", lambda *_, **__: (form,))
    assert accelerate(model, Told(packed=1.0), small=0) == Accelerated()
    assert [type(module) for module in model.modules()] == [type(module) for module in same.modules()]
    for (key, kept), expected in zip(model.state_dict().items(), same.state_dict().values(), strict=True):
        assert torch.equal(kept, expected), key
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert torch.equal(answer_of(model), answer_of(same))


def test_texts_that_are_tried_begin_as_the_models_texts_do() -> None:
    """What trained models compute without that token is far from what they compute otherwise, and coarse."""
    model = make("llama")
    seen: list[torch.Tensor] = []
    model.get_input_embeddings().register_forward_hook(lambda _module, given, _output: seen.append(given[0]))
    answer_of(model)
    assert seen[0][:, 0].tolist() == [model.config.bos_token_id] * 2


class Flat(nn.Module):
    """Lays what two layers computed out in one row, which parts of one product cannot be without a copy."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up = nn.Linear(64, 32), nn.Linear(64, 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.gate(x).view(-1) * self.up(x).view(-1)).view(*x.shape[:-1], 32).repeat(1, 1, 2)


def test_where_only_merging_breaks_a_model_single_layers_are_exchanged() -> None:
    model = make("llama")
    for layer in model.model.layers:
        layer.mlp = Flat().requires_grad_(False)
    before = answer_of(model)
    assert accelerate(model, Told(**PACKED), small=0) == Accelerated(13, 0, 0)
    assert distance(before, answer_of(model)) < 2e-5


def test_a_model_that_does_not_run_on_a_few_tokens_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Callable[..., Any]:
        raise RuntimeError("no texts, please")

    model = make("llama")
    monkeypatch.setattr(model, "forward", refuse)
    assert accelerate(model, Told(**PACKED), small=0) == Accelerated()
