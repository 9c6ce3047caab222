"""A small model that has pictures and texts in one space, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make_picture_model(folder: Path, tokenizer_folder: Path) -> Path:
    """Write a CLIP model to `folder`, with the tokenizer of another model."""
    import torch
    import transformers

    torch.manual_seed(0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    ends: dict[str, Any] = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": None}
    config = transformers.CLIPConfig(
        text_config={**sizes, **ends, "vocab_size": len(tokenizer), "max_position_embeddings": 64},
        vision_config={**sizes, "image_size": 16, "patch_size": 8},
        projection_dim=32,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    square = {"height": 16, "width": 16}
    transformers.CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=square).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
