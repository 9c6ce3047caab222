"""The encode engine, as the runtime finds it."""

from __future__ import annotations

from llamafarm_universal.engine import Candidate, Engine, EngineSpec, Fit, LoadPlan
from llamafarm_universal.host.models.safetensors import SAFETENSORS, weigh


def _fit(candidate: Candidate) -> Fit | None:
    return Fit("embedding", weigh(candidate)) if candidate.task == "embedding" else None


def _load(plan: LoadPlan, _grant: int) -> Engine:
    from llamafarm_universal.host.engines.encode.engine import EncodeEngine

    return EncodeEngine.load(plan)


ENGINE = EngineSpec("torch", ("embedding",), SAFETENSORS, _fit, _load)
