"""The text engine, as the runtime finds it."""

from __future__ import annotations

from llamafarm_universal.engine import Candidate, Engine, EngineSpec, Fit, Limits, LoadPlan
from llamafarm_universal.host.engines.working import (
    CACHED_TOKENS,
    STATEFUL_TEXTS,
    cache_bytes,
    state_bytes,
    wished_tokens,
)
from llamafarm_universal.safetensors import SAFETENSORS, weigh


def _fit(candidate: Candidate) -> Fit | None:
    if candidate.task != "text":
        return None
    state = state_bytes(candidate)
    return Fit(
        "text",
        weigh(candidate),
        cache_bytes(candidate, CACHED_TOKENS) + STATEFUL_TEXTS * state,
        cache_bytes(candidate, wished_tokens(candidate.config)) + Limits().sequences(candidate.device) * state,
    )


def _load(plan: LoadPlan, grant: int) -> Engine:
    from llamafarm_universal.host.engines.text.engine import TextEngine

    return TextEngine.load(plan, grant)


ENGINE = EngineSpec("torch", ("text",), SAFETENSORS, _fit, _load, adapters=True, quantizes=True, drafts=True)
