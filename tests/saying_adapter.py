"""An adapter of the model that counts, whose answers are known too: it says one number, again and again."""

from __future__ import annotations

import json
from pathlib import Path

from counting_model import WORDS


def make_saying_adapter(base: Path, folder: Path, word: str) -> Path:
    """Write to `folder` an adapter of peft with which the counting model at `base` says that word."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoTokenizer

    assert word in WORDS
    config = AutoConfig.from_pretrained(base)
    up = torch.zeros(config.vocab_size, 1)
    up[AutoTokenizer.from_pretrained(base).encode(f" {word}")[-1]] = 100.0
    head = "base_model.model.lm_head"
    folder.mkdir()
    save_file(
        {f"{head}.lora_A.weight": torch.ones(1, config.hidden_size), f"{head}.lora_B.weight": up},
        folder / "adapter_model.safetensors",
    )
    settings = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "base_model_name_or_path": str(base)}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder
