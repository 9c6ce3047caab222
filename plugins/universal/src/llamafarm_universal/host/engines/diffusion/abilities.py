"""What the files of a pipeline tell of what it can draw."""

from __future__ import annotations

import re

from llamafarm_universal.chat_template import read_object
from llamafarm_universal.engine import Abilities, Candidate

FILLING_CHANNELS = 9
"""What a UNet reads that was trained to fill in alone: the picture, what is left of it, and the mask."""
FROM_TEXTS = frozenset(
    {
        "AuraFlowPipeline",
        "ChromaPipeline",
        "CogView3PlusPipeline",
        "CogView4Pipeline",
        "HunyuanDiTPipeline",
        "Lumina2Pipeline",
        "LuminaPipeline",
        "PixArtAlphaPipeline",
        "PixArtSigmaPipeline",
        "SanaPipeline",
    }
)
"""Pipelines for which diffusers has none that draws from a picture."""
FROM_PICTURES = frozenset(
    {
        "FluxPipeline",
        "LatentConsistencyModelPipeline",
        "QwenImagePipeline",
        "StableDiffusion3Pipeline",
        "StableDiffusionPipeline",
        "StableDiffusionXLPipeline",
        "ZImagePipeline",
    }
)
"""Those for which it has one. Source of both: diffusers, auto_pipeline.py; a test compares them."""
_FEATURES = frozenset({"images"})
_FROM_PICTURES = frozenset({"edit_image", "vary_image"})


def abilities(candidate: Candidate) -> Abilities:
    """Of pipelines that are in neither list, only the loaded one tells whether it draws from pictures."""
    unet = read_object(candidate.folder / "unet" / "config.json")
    if unet.get("in_channels") == FILLING_CHANNELS:
        return Abilities(frozenset({"edit_image"}), _FEATURES)
    name = re.sub("Img2Img|Inpaint", "", str(candidate.config.get("_class_name")))
    if name in FROM_PICTURES:
        return Abilities(frozenset({"draw_image"}) | _FROM_PICTURES, _FEATURES)
    later = frozenset() if name in FROM_TEXTS else _FROM_PICTURES
    return Abilities(frozenset({"draw_image"}), _FEATURES, later=later)
