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


def make_detector(folder: Path) -> Path:
    """Write a YOLOS model to `folder` that takes everything for a cow or a hen."""
    import torch
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    names = {"id2label": {0: "cow", 1: "hen"}, "label2id": {"cow": 0, "hen": 1}}
    config = transformers.YolosConfig(**sizes, **names, image_size=[32, 48], patch_size=8, num_detection_tokens=4)
    transformers.YolosForObjectDetection(config).save_pretrained(folder)
    transformers.YolosImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64}).save_pretrained(folder)
    return folder


def make_depth_model(folder: Path) -> Path:
    """Write a GLPN model to `folder`."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.GLPNConfig(
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 2, 2],
        depths=[1, 1, 1, 1],
        mlp_ratios=[2, 2, 2, 2],
        decoder_hidden_size=8,
    )
    transformers.GLPNForDepthEstimation(config).save_pretrained(folder)
    transformers.GLPNImageProcessorPil(size_divisor=32).save_pretrained(folder)
    return folder
