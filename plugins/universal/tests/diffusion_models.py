"""Small pipelines of diffusers with random weights, built from their configuration classes."""

from __future__ import annotations

import string
from functools import partial
from pathlib import Path
from typing import Any

SIDE = 32
"""Pixels of a picture's side by default."""
TEXT_TOKENS = 77
_VAE = {
    "block_out_channels": [4, 8],
    "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
    "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"],
    "latent_channels": 4,
    "norm_num_groups": 2,
    "sample_size": SIDE,
}


def make_clip_tokenizer() -> Any:
    """CLIP's kind of tokenizer, whose tokens are letters."""
    from transformers import CLIPTokenizer

    letters = [*string.ascii_lowercase, *string.digits, *".,!?-'"]
    pieces = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    return CLIPTokenizer({piece: at for at, piece in enumerate(pieces)}, [], model_max_length=TEXT_TOKENS)


def make_t5_tokenizer() -> Any:
    """T5's kind of tokenizer, whose tokens are letters."""
    from transformers import T5Tokenizer

    pieces = ["<pad>", "</s>", "<unk>", "▁", *string.ascii_lowercase]
    return T5Tokenizer([(piece, -float(at)) for at, piece in enumerate(pieces)], extra_ids=0, model_max_length=512)


def _clip(*, projects: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=128, hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=TEXT_TOKENS, projection_dim=32, bos_token_id=0, eos_token_id=1, pad_token_id=1,
        hidden_act="gelu",
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projects else CLIPTextModel)(config).eval()


def _t5() -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4)).eval()


def _vae(**changes: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(**{**_VAE, **changes})


def _unet(**changes: Any) -> Any:
    from diffusers import UNet2DConditionModel

    sizes: dict[str, Any] = {
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "sample_size": SIDE // 2,
        "norm_num_groups": 2,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 32,
        "attention_head_dim": 8,
    }
    return UNet2DConditionModel(**{**sizes, **changes})


def make_stable_diffusion(folder: Path, *, prediction: str = "epsilon", channels: int = 4) -> Path:
    """Stable Diffusion 1; with `v_prediction` it is 2's kind. channels: 9 is a model that fills in alone."""
    import torch
    from diffusers import PNDMScheduler, StableDiffusionInpaintPipeline, StableDiffusionPipeline

    torch.manual_seed(0)
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1,
        prediction_type=prediction,
    )  # fmt: skip
    kind = StableDiffusionPipeline if channels == 4 else StableDiffusionInpaintPipeline
    pipeline = kind(
        _vae(), _clip(), make_clip_tokenizer(), _unet(in_channels=channels), scheduler, None, None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder


def make_sdxl(folder: Path) -> Path:
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    torch.manual_seed(0)
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, timestep_spacing="leading"
    )
    unet = _unet(
        cross_attention_dim=64, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=80, transformer_layers_per_block=(1, 2), use_linear_projection=True,
    )  # fmt: skip
    pipeline = StableDiffusionXLPipeline(
        _vae(), _clip(), _clip(projects=True), make_clip_tokenizer(), make_clip_tokenizer(), unet, scheduler
    )
    pipeline.save_pretrained(folder)
    return folder


def make_sd3(folder: Path) -> Path:
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    torch.manual_seed(0)
    transformer = SD3Transformer2DModel(
        sample_size=SIDE // 2, patch_size=2, in_channels=16, num_layers=1, attention_head_dim=8, num_attention_heads=4,
        joint_attention_dim=32, caption_projection_dim=32, pooled_projection_dim=64, out_channels=16,
    )  # fmt: skip
    pipeline = StableDiffusion3Pipeline(
        transformer, FlowMatchEulerDiscreteScheduler(shift=3.0),
        _vae(latent_channels=16, shift_factor=0.06, scaling_factor=1.5),
        _clip(projects=True), make_clip_tokenizer(), _clip(projects=True), make_clip_tokenizer(), _t5(),
        make_t5_tokenizer(),
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder


def make_flux(folder: Path) -> Path:
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8), guidance_embeds=True,
    )  # fmt: skip
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    pipeline = FluxPipeline(
        scheduler, _vae(shift_factor=0.06, scaling_factor=1.5), _clip(), make_clip_tokenizer(), _t5(),
        make_t5_tokenizer(), transformer,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder


def make_lcm(folder: Path) -> Path:
    """Latent consistency: a UNet that is told how much guidance there is."""
    import torch
    from diffusers import LatentConsistencyModelPipeline, LCMScheduler

    torch.manual_seed(0)
    scheduler = LCMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    pipeline = LatentConsistencyModelPipeline(
        _vae(), _clip(), make_clip_tokenizer(), _unet(time_cond_proj_dim=32), scheduler, None, None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder


def make_pixart(folder: Path, *, sigma: bool = False) -> Path:
    """PixArt, alpha or sigma. Its own size is 256: it draws in sizes that it was trained in, and cuts what is asked."""
    import torch
    from diffusers import (
        DPMSolverMultistepScheduler,
        PixArtAlphaPipeline,
        PixArtSigmaPipeline,
        PixArtTransformer2DModel,
    )

    torch.manual_seed(0)
    transformer = PixArtTransformer2DModel(
        sample_size=32, patch_size=2, num_layers=1, attention_head_dim=8, num_attention_heads=2, caption_channels=32,
        cross_attention_dim=16, use_additional_conditions=False,
    )  # fmt: skip
    blocks: dict[str, Any] = {
        "block_out_channels": [4] * 4,
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
    }
    kind = PixArtSigmaPipeline if sigma else PixArtAlphaPipeline
    pipeline = kind(make_t5_tokenizer(), _t5(), _vae(**blocks), transformer, DPMSolverMultistepScheduler())
    pipeline.save_pretrained(folder)
    return folder


def make_sana(folder: Path) -> Path:
    """Sana: a language model reads the text, and an autoencoder makes one latent pixel of 32 by 32."""
    import torch
    from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaPipeline, SanaTransformer2DModel
    from tiny_models import make_tokenizer
    from transformers import Gemma2Config, Gemma2Model

    torch.manual_seed(0)
    levels = 6
    blocks: Any = ("ResBlock",) * (levels - 1) + ("EfficientViTBlock",)
    scales: Any = ((),) * (levels - 1) + ((5,),)
    vae = AutoencoderDC(
        latent_channels=4, attention_head_dim=2, encoder_block_types=blocks, decoder_block_types=blocks,
        encoder_block_out_channels=(8,) * levels, decoder_block_out_channels=(8,) * levels,
        encoder_layers_per_block=(1,) * levels, decoder_layers_per_block=(1,) * levels,
        encoder_qkv_multiscales=scales, decoder_qkv_multiscales=scales, upsample_block_type="interpolate",
        downsample_block_type="conv", scaling_factor=0.41407,
    )  # fmt: skip
    sizes = {"num_attention_heads": 2, "attention_head_dim": 4, "caption_channels": 8, "num_layers": 1}
    crossed = {"num_cross_attention_heads": 2, "cross_attention_head_dim": 4, "cross_attention_dim": 8}
    transformer = SanaTransformer2DModel(
        in_channels=4, out_channels=4, patch_size=1, sample_size=16, **sizes, **crossed
    )
    language = Gemma2Config(
        vocab_size=300, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, head_dim=4,
        num_key_value_heads=2, query_pre_attn_scalar=8, max_position_embeddings=1024,
    )  # fmt: skip
    scheduler = DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    SanaPipeline(make_tokenizer(), Gemma2Model(language).eval(), vae, transformer, scheduler).save_pretrained(folder)
    return folder


MAKERS = {
    "sd1": make_stable_diffusion,
    "sd2": partial(make_stable_diffusion, prediction="v_prediction"),
    "sdxl": make_sdxl,
    "sd3": make_sd3,
    "flux": make_flux,
    "lcm": make_lcm,
    "pixart": make_pixart,
    "pixart-sigma": partial(make_pixart, sigma=True),
    "sana": make_sana,
}


def make_drawing_adapter(base: Path, folder: Path, rank: int, layers: tuple[str, ...] = ("to_q", "to_v")) -> Path:
    """LoRA with random changes of the denoiser of a pipeline and, where `q_proj` is among them, of its text encoder.

    It is saved as diffusers saves it.
    """
    import torch
    from diffusers import AutoPipelineForText2Image
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    def changes(name: str, part: Any, targets: list[str]) -> dict[str, Any]:
        part.add_adapter(LoraConfig(r=rank, lora_alpha=4 * rank, target_modules=targets, init_lora_weights=False))
        config = part.peft_config["default"].to_dict()
        weights = convert_state_dict_to_diffusers(get_peft_model_state_dict(part))
        return {f"{name}_lora_layers": weights, f"{name}_lora_adapter_metadata": config}

    torch.manual_seed(rank)
    pipeline = AutoPipelineForText2Image.from_pretrained(base, use_safetensors=True)
    name = "unet" if hasattr(pipeline, "unet") else "transformer"
    saved = changes(name, getattr(pipeline, name), [layer for layer in layers if layer != "q_proj"])
    if "q_proj" in layers:
        saved |= changes("text_encoder", pipeline.text_encoder, ["q_proj"])
    pipeline.save_lora_weights(folder, **saved)
    return folder
