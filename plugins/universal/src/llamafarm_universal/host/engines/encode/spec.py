"""The encode engine, as the runtime finds it."""

from __future__ import annotations

from llamafarm_universal.engine import Candidate, Engine, EngineSpec, Fit, LoadPlan
from llamafarm_universal.host.engines.working import batch_bytes
from llamafarm_universal.safetensors import SAFETENSORS, weigh

TASKS = ("embedding", "reranking", "classification", "ner")


def _fit(candidate: Candidate) -> Fit | None:
    return Fit(candidate.task, weigh(candidate), batch_bytes(candidate)) if candidate.task in TASKS else None


def _load(plan: LoadPlan, _grant: int) -> Engine:
    from llamafarm_universal.host.engines.encode.load import load_encoder

    return load_encoder(plan)


ENGINE = EngineSpec("torch", TASKS, SAFETENSORS, _fit, _load)
