"""The text engine, as the runtime finds it."""

from __future__ import annotations

from llamafarm_universal.engine import Candidate, Engine, EngineSpec, Fit, LoadPlan
from llamafarm_universal.host.engines.working import cache_bytes
from llamafarm_universal.safetensors import SAFETENSORS, weigh


def _fit(candidate: Candidate) -> Fit | None:
    return Fit("text", weigh(candidate), cache_bytes(candidate)) if candidate.task == "text" else None


def _load(plan: LoadPlan, _grant: int) -> Engine:
    from llamafarm_universal.host.engines.text.engine import TextEngine

    return TextEngine.load(plan)


ENGINE = EngineSpec("torch", ("text",), SAFETENSORS, _fit, _load, adapters=True)
