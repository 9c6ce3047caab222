"""The diffusion engine, as the runtime finds it."""

from __future__ import annotations

from llamafarm_universal.engine import Candidate, Engine, EngineSpec, Fit, LoadPlan
from llamafarm_universal.host.engines.diffusion.abilities import abilities
from llamafarm_universal.host.engines.diffusion.savings import weight_on_device
from llamafarm_universal.host.engines.diffusion.weight import working_bytes
from llamafarm_universal.safetensors import SAFETENSORS

TASKS = ("diffusion",)


def _fit(candidate: Candidate) -> Fit | None:
    if candidate.task not in TASKS or not isinstance(candidate.config.get("_class_name"), str):
        return None
    return Fit("diffusion", weight_on_device(candidate), working_bytes(candidate))


def _load(plan: LoadPlan, _grant: int) -> Engine:
    from llamafarm_universal.host.engines.diffusion.load import load_diffusion

    return load_diffusion(plan)


# A step takes seconds on a processor, and computes in a thread of its own, whose OpenMP team would slow all others.
ENGINE = EngineSpec("torch", TASKS, SAFETENSORS, _fit, _load, isolated=True, adapts=True, abilities=abilities)
