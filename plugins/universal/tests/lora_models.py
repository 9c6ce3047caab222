"""Adapters of peft with random changes, on the small Llama and on other models; and what peft makes of them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from tiny_models import make_adapter

KINDS: dict[str, dict[str, Any]] = {
    "narrow": {"r": 2, "target_modules": ["q_proj", "v_proj"]},
    "wide": {"r": 8, "target_modules": "all-linear"},
    "by_pattern": {
        "r": 4,
        "use_rslora": True,
        "target_modules": ["k_proj", "o_proj", "gate_proj"],
        "rank_pattern": {"k_proj": 3},
        "alpha_pattern": {r"layers\.0\.self_attn\.o_proj": 3},
    },
    "dora": {"r": 2, "use_dora": True, "target_modules": ["up_proj", "q_proj"]},
    "embedding": {"r": 2, "target_modules": ["embed_tokens", "down_proj"]},
    "head": {"r": 2, "target_modules": ["lm_head", "v_proj"]},
    "whole_modules": {"r": 2, "target_modules": ["q_proj"], "modules_to_save": ["lm_head", "embed_tokens"]},
}
"""Of each kind that is done beside the weights of a loaded model, what its configuration says."""


def make_kind(base: Path, folder: Path, kind: str) -> Path:
    """An adapter of that kind for the small Llama."""
    settings = {"lora_alpha": 2, "init_lora_weights": False, **KINDS[kind]}
    return make_adapter(base, folder, str(base), LoraConfig(**settings))


def generated(
    base: Path, adapter: Path | None, tokenizer: Any, prompt: str, count: int, *, past_ends: bool = False
) -> list[int]:
    """The tokens that transformers generates, greedily, with the adapter as peft has it.

    There is no token among them that ends an answer or, with `past_ends`, none that does.
    """
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(base)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers by an old name
        model = (PeftModel.from_pretrained(model, adapter) if adapter else model).eval()
    ids = tokenizer(prompt, return_tensors="pt")
    ends: dict[str, Any] = {"eos_token_id": None} if past_ends else {"suppress_tokens": [2]}
    settings = {"max_new_tokens": count, "do_sample": False, "pad_token_id": 0, **ends}
    with torch.inference_mode():
        row = model.generate(**ids, **settings)[0, ids["input_ids"].shape[1] :]
    return [int(token) for token in row]


def save_tuned(model: Any, folder: Path, config: LoraConfig) -> Any:
    """Save random changes of a model as an adapter. Returns the changed model; `model` is part of it then."""
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuned = get_peft_model(model, config)
        for name, parameter in tuned.named_parameters():
            if name.endswith("bias") and parameter.requires_grad:  # which peft leaves as they are
                parameter.data += torch.randn_like(parameter)
        tuned.save_pretrained(folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": "org/base"}))
    return tuned.eval()
