"""Unfinished pictures: what a step foresees of the picture, decoded while it is being drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llamafarm_universal.host.engines.stepwise import uninterrupted

FAMILIES = ("StableDiffusion", "Flux")
"""How the names of pipelines begin whose latents are decoded as they are here."""
_OTHERS = ("StableDiffusionUpscale", "StableDiffusionLatentUpscale", "Flux2", "FluxKontext")


@dataclass(frozen=True)
class Step:
    """One step of a scheduler: what it was given, and what it has returned."""

    scheduler: Any
    denoised: Any
    timestep: Any
    sample: Any
    returned: tuple[Any, ...]

    def foreseen(self) -> Any:
        """The latents without noise, as far as they can be told now: a blurred picture, and not noise.

        Many schedulers tell it; of the others it follows from what the model predicts.
        """
        if len(self.returned) > 1:
            return self.returned[1]
        scheduler, kind = self.scheduler, getattr(self.scheduler.config, "prediction_type", None)
        if kind == "flow_prediction" or type(scheduler).__name__.startswith("FlowMatch"):
            noise = scheduler.sigmas[scheduler.step_index - 1].to(self.sample.device, self.sample.dtype)
            return self.sample - noise * self.denoised
        kept = scheduler.alphas_cumprod[int(self.timestep)].to(self.sample.device, self.sample.dtype)
        if kind == "v_prediction":
            return kept.sqrt() * self.sample - (1 - kept).sqrt() * self.denoised
        if kind == "sample":
            return self.denoised
        return (self.sample - (1 - kept).sqrt() * self.denoised) / kept.sqrt()


def can_preview(pipeline: Any) -> bool:
    """Whether the latents of a pipeline are decoded as they are here."""
    name = type(pipeline).__name__
    return name.startswith(FAMILIES) and not name.startswith(_OTHERS)


def preview(pipeline: Any, latents: Any, width: int, height: int) -> Any:
    """The picture of PIL that latents of shape (1, …) are. It takes as long as decoding the finished one."""
    import torch

    vae = pipeline.vae
    if hasattr(pipeline, "_unpack_latents"):
        latents = pipeline._unpack_latents(latents, height, width, pipeline.vae_scale_factor)
    narrow = vae.dtype == torch.float16 and bool(getattr(vae.config, "force_upcast", False))
    if narrow:  # it computes nonsense in 16 bits, which its pipeline knows, too
        vae.to(dtype=torch.float32)
    try:
        with uninterrupted():
            decoded = vae.decode(_unscaled(latents, vae.config).to(vae.dtype), return_dict=False)[0]
    finally:
        if narrow:
            vae.to(dtype=torch.float16)
    return pipeline.image_processor.postprocess(decoded.detach(), output_type="pil")[0]


def due(previews: int, total: int) -> list[int]:
    """After which of so many steps there are unfinished pictures: evenly spread, fewer where there are few steps."""
    steps = {-(-total * part // (previews + 1)) for part in range(1, previews + 1)}
    return sorted(step for step in steps if step < total)


def _unscaled(latents: Any, config: Any) -> Any:
    """Latents as the decoder reads them."""
    mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is not None and std is not None:
        across = (1, -1, 1, 1)
        return latents * latents.new_tensor(std).view(across) / config.scaling_factor + latents.new_tensor(mean).view(
            across
        )
    return latents / config.scaling_factor + (getattr(config, "shift_factor", None) or 0.0)
