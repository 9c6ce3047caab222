"""Adapters that do not fit the model that they are to change are refused, with what differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.models.lora import read_adapter
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from lora_models import make_kind
from safetensors.torch import load_file, save_file
from tiny_models import make_adapter, make_llama
from transformers import AutoModelForCausalLM

WEIGHTS = "adapter_model.safetensors"
LAYER = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def module(llama_folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(llama_folder)


@pytest.fixture
def changed(llama_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """An adapter of the Llama with other settings, and other tensors: each a function of what there is."""

    def change(tensors: Callable[[dict[str, Any]], dict[str, Any]] = lambda kept: kept, **settings: Any) -> Path:
        folder = make_kind(llama_folder, tmp_path / "adapter", "narrow")
        path = folder / "adapter_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
        save_file(tensors(load_file(folder / WEIGHTS)), folder / WEIGHTS)
        return folder

    return change


def plan_of(folder: Path) -> LoadPlan:
    ref = ModelRef("org/base", LoadSettings(adapter="org/lora"))
    return LoadPlan(ref, folder, {}, "text", "cpu", "fp32", 0, folder / WEIGHTS)


def refusal(folder: Path, module: Any) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        read_adapter(plan_of(folder), module)
    assert str(caught.value).startswith("The adapter `org/lora` ")
    return caught.value


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"peft_type": "IA3"}, "is of the kind IA3: only LoRA can be put beside the weights of a loaded model."),
        ({"peft_type": None}, "is of the kind None: only LoRA"),
        (
            {"init_lora_weights": "pissa_niter_4"},
            "was begun as pissa_niter_4, which changes the base model's own weights",
        ),
        ({"target_parameters": ["mlp.experts.down_proj"]}, "has `target_parameters`, which cannot be put beside"),
        ({"layer_replication": [[0, 2], [1, 2]]}, "has `layer_replication`"),
        ({"trainable_token_indices": [3]}, "has `trainable_token_indices`"),
    ],
)
def test_what_is_more_than_low_rank_changes_is_refused(
    changed: Callable[..., Path], module: Any, settings: dict[str, Any], message: str
) -> None:
    failure = refusal(changed(**settings), module)
    assert message in str(failure)
    assert (failure.kind, failure.param) == ("not_supported", "adapter")
    assert failure.hint


def test_layers_that_the_model_does_not_have_are_named(changed: Callable[..., Path], module: Any) -> None:
    deeper = lambda tensors: {name.replace("layers.1.", "layers.7."): each for name, each in tensors.items()}  # noqa: E731
    failure = refusal(changed(deeper), module)
    assert str(failure).endswith(
        "changes layers that `org/base` does not have: `model.layers.7.self_attn.q_proj`, "
        "`model.layers.7.self_attn.v_proj`."
    )
    assert "`base_model_name_or_path`" in (failure.hint or "")


def test_sizes_that_differ_are_told_with_both_numbers(tmp_path: Path, module: Any, tokenizer: Any) -> None:
    other = make_llama(tmp_path / "other", tokenizer, hidden_size=96, num_attention_heads=4)
    failure = refusal(make_adapter(other, tmp_path / "lora", "org/other"), module)
    assert "does not fit `org/base`: `model.layers.0.self_attn.q_proj` has 64 inputs and 64 outputs, " in str(failure)
    assert "outputs, the change 96 and 96; `" in str(failure)
    assert str(failure).endswith(" and 1 more.")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({f"{LAYER}.lora_A.weight": torch.zeros(5, 64)}, "would be changed by matrices of the ranks 5 and 2"),
        ({f"{LAYER}.base_layer.bias": torch.zeros(64)}, "has no bias, and the change is one of its bias"),
        ({f"{LAYER}.lora_B.bias": torch.zeros(7)}, "has 64 outputs, the bias 7"),
        ({"base_model.model.model.embed_tokens.bias": torch.zeros(64)}, "`model.embed_tokens` has no bias"),
        ({"base_model.model.model.norm.bias": torch.zeros(64)}, "`model.norm` is a LlamaRMSNorm, of which nothing"),
        (
            {"base_model.model.model.norm.weight": torch.zeros(64)},
            "`model.norm` would get a weight of 1 dimensions",
        ),
        ({"base_model.model.model.norm.lora_A.weight": torch.zeros(2, 64)}, "not done here (lora_A.weight)"),
        (
            {f"base_model.model.model.embed_tokens.lora_{side}.weight": torch.zeros(2, 2) for side in "AB"},
            "`model.embed_tokens` looks up tokens, and the change is that of a linear layer",
        ),
        (
            {"base_model.model.lm_head.weight": torch.zeros(7, 64)},
            "`lm_head` has 64 inputs and 299 outputs, the change 64 and 7",
        ),
        (
            {f"{LAYER}.base_layer.weight": torch.zeros(64, 64)},
            "has other numbers than when the change was trained",
        ),
        ({"something.else": torch.zeros(1)}, "holds `something.else`, which is no weight of LoRA"),
    ],
)
def test_changes_that_do_not_fit_their_layer_are_refused(
    changed: Callable[..., Path], module: Any, tensors: dict[str, Any], message: str
) -> None:
    assert message in str(refusal(changed(lambda kept: {**kept, **tensors}), module))


def test_files_that_cannot_be_read_are_refused(changed: Callable[..., Path], module: Any) -> None:
    folder = changed()
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-100])
    assert "cannot be read: SafetensorError" in str(refusal(folder, module))
    (folder / "adapter_config.json").write_text("[]")
    assert "holds no JSON object" in str(refusal(folder, module))


def test_an_adapter_of_no_weights_is_refused(changed: Callable[..., Path], module: Any) -> None:
    assert "holds no weights" in str(refusal(changed(lambda _: {}), module))


def test_one_that_names_another_base_and_fits_is_put_on_this_one(
    changed: Callable[..., Path], module: Any, caplog: pytest.LogCaptureFixture
) -> None:
    adapter = read_adapter(plan_of(changed(base_model_name_or_path="org/origin")), module)
    assert len(adapter.changes) == 4
    assert "The adapter `org/lora` says that it changes `org/origin`; it is put on `org/base`." in caplog.text
