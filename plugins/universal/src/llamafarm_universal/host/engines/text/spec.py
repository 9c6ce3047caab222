"""The text engine, as the runtime finds it."""

from __future__ import annotations

from llamafarm_universal.engine import Candidate, Engine, EngineSpec, Fit, Limits, LoadPlan
from llamafarm_universal.host.engines.text.abilities import abilities
from llamafarm_universal.host.engines.working import (
    CACHED_TOKENS,
    STATEFUL_TEXTS,
    batch_bytes,
    cache_bytes,
    state_bytes,
    wished_tokens,
)
from llamafarm_universal.safetensors import SAFETENSORS, weigh

TASKS = ("text", "multimodal")


def _fit(candidate: Candidate) -> Fit | None:
    if candidate.task not in TASKS:
        return None
    state = state_bytes(candidate)
    sight = batch_bytes(candidate) if candidate.task == "multimodal" else 0
    return Fit(
        candidate.task,
        weigh(candidate),
        cache_bytes(candidate, CACHED_TOKENS) + STATEFUL_TEXTS * state + sight,
        cache_bytes(candidate, wished_tokens(candidate.config)) + Limits().sequences(candidate.device) * state + sight,
    )


def _load(plan: LoadPlan, grant: int) -> Engine:
    from llamafarm_universal.host.engines.text.engine import TextEngine

    return TextEngine.load(plan, grant)


ENGINE = EngineSpec(
    "torch",
    TASKS,
    SAFETENSORS,
    _fit,
    _load,
    adapters=True,
    adapts=True,
    quantizes=True,
    drafts=True,
    abilities=abilities,
)
