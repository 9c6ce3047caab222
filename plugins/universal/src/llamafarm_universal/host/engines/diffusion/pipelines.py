"""The pipelines of one loaded model: all share its weights, and each drawing gets one of its own, with a scheduler."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Literal

from llamafarm_universal.host.engines.diffusion.abilities import FILLING_CHANNELS
from llamafarm_universal.host.engines.diffusion.adapters import DrawingAdapters
from llamafarm_universal.host.engines.diffusion.previews import Step, can_preview
from llamafarm_universal.host.engines.diffusion.schedulers import Schedulers
from llamafarm_universal.host.engines.stepwise import hand_over

Kind = Literal["text", "image", "mask"]
"""What a picture is drawn from: a text; a picture and a text; these and a mask that says where."""
TILED = 4
"""So many times the model's own size are decoded at once."""


class Pipelines:
    """by_kind: a pipeline of diffusers for each kind of drawing that the model can do.

    saves_memory: pictures of a batch are decoded one after the other, and those of more than TILED times the model's
    own size in tiles.
    """

    def __init__(self, by_kind: dict[Kind, Any], *, saves_memory: bool = True) -> None:
        self.by_kind = by_kind
        self._any = next(iter(by_kind.values()))
        self.schedulers = Schedulers(self._any.scheduler)
        _have_parts_hand_over(self._any)
        if saves_memory:
            _save_memory(getattr(self._any, "vae", None), TILED * (self.side // self._scale) ** 2)

    @property
    def operations(self) -> frozenset[str]:
        """The works that can be done."""
        has = self.by_kind.keys()
        able = {"draw_image": "text" in has, "edit_image": has & {"image", "mask"}, "vary_image": "image" in has}
        return frozenset(name for name, is_able in able.items() if is_able)

    def parameters(self, kind: Kind) -> dict[str, Any]:
        """What a pipeline can be told, with the defaults of its author."""
        found = inspect.signature(type(self.by_kind[kind]).__call__).parameters
        return {name: parameter.default for name, parameter in found.items()}

    @property
    def modules(self) -> list[Any]:
        """The parts that have weights."""
        return parts_of(self._any)

    def adapters(self) -> DrawingAdapters:
        """What puts adapters on the parts, which all pipelines share."""
        return DrawingAdapters(self._any, self.modules)

    def texts(self) -> Iterator[tuple[Any, bool]]:
        """The tokenizers whose texts are read, and whether each one's limit is the pipeline's and not its own."""
        parts = self._any.components
        for name, tokenizer in parts.items():
            if name.startswith("tokenizer") and parts.get(name.replace("tokenizer", "text_encoder")) is not None:
                yield tokenizer, "CLIP" not in type(tokenizer).__name__

    @property
    def grid(self) -> int:
        """Pixels of which both sides of a picture have a multiple: of one patch that the denoiser reads."""
        denoiser = getattr(self._any, "transformer", None)
        patch = int(getattr(denoiser.config, "patch_size", None) or 1) if denoiser is not None else 1
        return self._scale * max(patch, self._packing(denoiser))

    @property
    def side(self) -> int:
        """Pixels of a picture's side where a request names no size."""
        denoiser = getattr(self._any, "unet", None) or getattr(self._any, "transformer", None)
        own = getattr(getattr(denoiser, "config", None), "sample_size", None)
        size = own if isinstance(own, int) else getattr(self._any, "default_sample_size", 128)
        return int(size) * self._scale

    @property
    def can_preview(self) -> bool:
        """Whether unfinished pictures can be shown."""
        return can_preview(self._any)

    @property
    def name(self) -> str:
        """What diffusers calls it."""
        return type(self._any).__name__

    def new(self, kind: Kind, scheduler: str | None, stepped: Callable[[Any, Step], None]) -> Any:
        """A pipeline for one drawing. stepped: told with it of each step of its scheduler."""
        pipeline = copy.copy(self.by_kind[kind])
        pipeline.scheduler = self.schedulers.new(scheduler)
        step = pipeline.scheduler.step

        @functools.wraps(step)  # pipelines look at what it takes
        def counted(model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
            result = step(model_output, timestep, sample, *args, **kwargs)
            returned = result if isinstance(result, tuple) else result.to_tuple()
            stepped(pipeline, Step(pipeline.scheduler, model_output, timestep, sample, returned))
            return result

        pipeline.scheduler.step = counted
        return pipeline

    @property
    def _scale(self) -> int:
        return int(getattr(self._any, "vae_scale_factor", 8))

    def _packing(self, denoiser: Any) -> int:
        """How many latent pixels of each side a transformer gets as one, as FLUX's does."""
        vae = getattr(self._any, "vae", None)
        latent = getattr(getattr(vae, "config", None), "latent_channels", None)
        read = getattr(getattr(denoiser, "config", None), "in_channels", None)
        return 2 if isinstance(latent, int) and isinstance(read, int) and read >= 4 * latent else 1


def parts_of(pipeline: Any) -> list[Any]:
    """The parts of a pipeline that have weights."""
    from torch import nn

    return [part for part in pipeline.components.values() if isinstance(part, nn.Module)]


def kinds_of(pipeline: Any) -> dict[Kind, Any]:
    """The pipelines for all that a text-to-image pipeline's weights can draw."""
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting

    unet = getattr(pipeline, "unet", None)
    fills_in = unet is not None and unet.config.in_channels == FILLING_CHANNELS
    kinds: dict[Kind, Any] = {} if fills_in else {"text": pipeline}
    others: tuple[tuple[Kind, Any], ...] = (("image", AutoPipelineForImage2Image), ("mask", AutoPipelineForInpainting))
    for kind, auto in others:
        if kind == "mask" or not fills_in:
            try:
                kinds[kind] = auto.from_pipe(pipeline)
                kinds[kind].set_progress_bar_config(disable=True)
            except (ValueError, TypeError):  # diffusers has none for this family
                continue
    return kinds


def _have_parts_hand_over(pipeline: Any) -> None:
    """Have everything that takes long wait for its turn before it begins."""
    vae = getattr(pipeline, "vae", None)
    for part in parts_of(pipeline):
        if part is not vae:
            part.register_forward_pre_hook(hand_over)
    if vae is not None and hasattr(vae, "decoder"):
        vae.decoder.register_forward_pre_hook(functools.partial(hand_over, decodes=True))


def _save_memory(vae: Any, most: int) -> None:
    """Decode one picture after the other, and larger ones in tiles. most: latent pixels that are decoded at once."""
    if hasattr(vae, "enable_slicing"):
        vae.enable_slicing()
    if not hasattr(vae, "use_tiling"):
        return
    decode = vae.decode

    @functools.wraps(decode)
    def tiled(latents: Any, *args: Any, **kwargs: Any) -> Any:
        vae.use_tiling = latents.shape[-1] * latents.shape[-2] > most
        try:
            return decode(latents, *args, **kwargs)
        finally:
            vae.use_tiling = False

    vae.decode = tiled
