"""The vision engine, as the runtime finds it."""

from __future__ import annotations

from llamafarm_universal.engine import Candidate, Engine, EngineSpec, Fit, LoadPlan
from llamafarm_universal.host.engines.working import batch_bytes
from llamafarm_universal.safetensors import SAFETENSORS, weigh

TASKS = ("vision",)


def _fit(candidate: Candidate) -> Fit | None:
    if candidate.task not in TASKS:
        return None
    return Fit(candidate.task, weigh(candidate), batch_bytes(candidate))


def _load(plan: LoadPlan, _grant: int) -> Engine:
    from llamafarm_universal.host.engines.vision.load import load_vision

    return load_vision(plan)


ENGINE = EngineSpec("torch", TASKS, SAFETENSORS, _fit, _load)
