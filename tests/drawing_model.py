"""A small model that draws, with random weights."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any


def make_drawing_model(folder: Path) -> Path:
    """Write a pipeline of Stable Diffusion to `folder`: its pictures are 32 pixels wide and high by default."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    letters = [*string.ascii_lowercase, *(f"{letter}</w>" for letter in string.ascii_lowercase)]
    vocabulary = {piece: at for at, piece in enumerate(["<|startoftext|>", "<|endoftext|>", *letters])}
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2}
    ends: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    text = CLIPTextConfig(vocab_size=64, num_attention_heads=4, max_position_embeddings=77, **sizes, **ends)
    unet = UNet2DConditionModel(
        sample_size=16, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=2, cross_attention_dim=32,
        attention_head_dim=8, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=[4, 8], norm_num_groups=2, sample_size=32,
        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
    )  # fmt: skip
    scheduler = DDIMScheduler(steps_offset=1, clip_sample=False)
    tokenizer = CLIPTokenizer(vocabulary, [], model_max_length=77)
    pipeline = StableDiffusionPipeline(
        vae, CLIPTextModel(text), tokenizer, unet, scheduler, None, None, requires_safety_checker=False
    )
    pipeline.save_pretrained(folder)
    return folder


def make_drawing_adapter(folder: Path) -> Path:
    """Write LoRA that changes the pictures of that model to `folder`, in a file of a name of its own."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    block = "unet.down_blocks.1.attentions.0.transformer_blocks.0"
    layers = {f"{block}.attn1.{name}.lora" for name in ("to_q", "to_v", "to_out.0")}
    folder.mkdir()
    sides = {"down": (2, 16), "up": (16, 2)}
    save_file(
        {f"{layer}.{side}.weight": 3 * torch.randn(shape) for layer in sorted(layers) for side, shape in sides.items()},
        folder / "foxes.safetensors",
    )
    return folder
