"""From a plan to a diffusion engine."""

from __future__ import annotations

from typing import Any

from llamafarm_universal.device import torch_dtype
from llamafarm_universal.engine import LoadedModel, LoadPlan, RequestFailed
from llamafarm_universal.host.engines.diffusion.engine import DiffusionEngine
from llamafarm_universal.host.engines.diffusion.pipelines import Pipelines, kinds_of, parts_of
from llamafarm_universal.host.engines.diffusion.savings import (
    OFFLOAD,
    SLICED_ATTENTION,
    SLICED_DECODING,
    savings,
)
from llamafarm_universal.host.engines.diffusion.weight import NOT_LOADED
from llamafarm_universal.host.models.loader import load_failure, refuse_missing, unmarked

FAMILIES = "Stable Diffusion 1, 2, 3 or XL, FLUX, Sana, PixArt or another that draws by one pipeline of diffusers"
"""What there is, for those whose model is none."""


def load_diffusion(plan: LoadPlan) -> DiffusionEngine:
    """Read a pipeline. Raises RequestFailed, also for one that draws nothing from a text."""
    try:
        applied = savings(plan)
        pipeline = _read(plan)
        _place(pipeline, plan, applied)
        pipelines = Pipelines(kinds_of(pipeline), saves_memory=SLICED_DECODING in applied)
    except RequestFailed:
        raise
    except Exception as error:
        raise load_failure(plan, error) from error
    return DiffusionEngine(pipelines, _described(plan, pipelines, applied), plan.limits)


def _read(plan: LoadPlan) -> Any:
    from diffusers import AutoPipelineForText2Image
    from diffusers.utils import logging

    if refusal := _refusal(plan.config["_class_name"]):
        raise RequestFailed(
            "not_supported", f"`{plan.ref.id}` {refusal}.", hint=f"Use a model of {FAMILIES}.", param="model"
        )
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
    return pipeline


def _place(pipeline: Any, plan: LoadPlan, applied: tuple[str, ...]) -> None:
    """Have a pipeline's weights lie where they compute, or take turns there."""
    if SLICED_ATTENTION in applied:
        pipeline.enable_attention_slicing()
    if OFFLOAD not in applied:
        pipeline.to(plan.device)
        return
    from llamafarm_universal.host.engines.diffusion.offload import Place, take_turns

    take_turns(parts_of(pipeline), Place(plan.device))


def _refusal(name: str) -> str | None:
    """Why a pipeline of that name is not read."""
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING, _get_task_class

    try:
        drawing = _get_task_class(AUTO_TEXT2IMAGE_PIPELINES_MAPPING, name).__name__
    except ValueError:
        return f"is a `{name}`, which draws no pictures of a text"
    if drawing.endswith("CombinedPipeline"):  # each has a scheduler of its own, which all drawings would share
        return f"is a `{name}`, which draws by two pipelines, one after the other: that is not done here"
    return None


def _described(plan: LoadPlan, pipelines: Pipelines, applied: tuple[str, ...]) -> LoadedModel:
    tensors = [tensor for part in pipelines.modules for tensor in [*part.parameters(), *part.buffers()]]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return LoadedModel(
        ref=plan.ref,
        task=plan.task,
        engine=plan.engine,
        device=plan.device,
        dtype=plan.dtype,
        parameters=sum(parameter.numel() for part in pipelines.modules for parameter in part.parameters()),
        memory_bytes=plan.weight_bytes if OFFLOAD in applied else sum(storages.values()),
        operations=pipelines.operations,
        features=frozenset({"images"}),
        optimizations=applied,
    )
