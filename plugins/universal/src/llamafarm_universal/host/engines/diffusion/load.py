"""From a plan to a diffusion engine."""

from __future__ import annotations

from typing import Any

from llamafarm_universal.device import torch_dtype
from llamafarm_universal.engine import LoadedModel, LoadPlan, RequestFailed
from llamafarm_universal.host.engines.diffusion.engine import DiffusionEngine
from llamafarm_universal.host.engines.diffusion.pipelines import Pipelines, kinds_of, parts_of
from llamafarm_universal.host.engines.diffusion.weight import NOT_LOADED
from llamafarm_universal.host.models.loader import load_failure, refuse_missing, unmarked


def load_diffusion(plan: LoadPlan) -> DiffusionEngine:
    """Read a pipeline. Raises RequestFailed, also for one that draws nothing from a text."""
    try:
        pipeline = _read(plan)
        saves_memory = bool(dict(plan.ref.settings.options).get("enable_optimizations", True))
        pipelines = Pipelines(kinds_of(pipeline), saves_memory=saves_memory)
    except RequestFailed:
        raise
    except Exception as error:
        raise load_failure(plan, error) from error
    return DiffusionEngine(pipelines, _described(plan, pipelines), plan.limits)


def _read(plan: LoadPlan) -> Any:
    from diffusers import AutoPipelineForText2Image
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING, _get_task_class
    from diffusers.utils import logging

    name = plan.config["_class_name"]
    try:
        _get_task_class(AUTO_TEXT2IMAGE_PIPELINES_MAPPING, name)
    except ValueError:
        raise RequestFailed(
            "not_supported",
            f"`{plan.ref.id}` is a `{name}`, which draws no pictures of a text.",
            hint="Use a model that does, such as one of Stable Diffusion, SDXL, SD 3, FLUX, Sana or PixArt.",
            param="model",
        ) from None
    logging.disable_progress_bar()
    left_out: dict[str, Any] = {part: None for part in NOT_LOADED if plan.config.get(part, [None])[0] is not None}
    if left_out:
        left_out["requires_safety_checker"] = False
    pipeline = AutoPipelineForText2Image.from_pretrained(
        plan.folder, dtype=torch_dtype(plan.dtype), use_safetensors=True, local_files_only=True, **left_out
    )
    for part in parts_of(pipeline):
        absent = [name for name, tensor in part.named_parameters() if tensor.is_meta]
        refuse_missing(plan, part, [*absent, *unmarked(part)])
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(plan.device)


def _described(plan: LoadPlan, pipelines: Pipelines) -> LoadedModel:
    tensors = [tensor for part in pipelines.modules for tensor in [*part.parameters(), *part.buffers()]]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return LoadedModel(
        ref=plan.ref,
        task=plan.task,
        engine=plan.engine,
        device=plan.device,
        dtype=plan.dtype,
        parameters=sum(parameter.numel() for part in pipelines.modules for parameter in part.parameters()),
        memory_bytes=sum(storages.values()),
        operations=pipelines.operations,
        features=frozenset({"images"}),
    )
