"""The encode engine, as the runtime finds it."""

from __future__ import annotations

from llamafarm_universal.engine import Candidate, Engine, EngineSpec, Fit, LoadPlan
from llamafarm_universal.host.engines.encode.abilities import abilities
from llamafarm_universal.host.engines.working import batch_bytes
from llamafarm_universal.safetensors import SAFETENSORS, weigh

TASKS = ("embedding", "reranking", "classification", "ner")


def _fit(candidate: Candidate) -> Fit | None:
    """An adapter in the layout of sentence-transformers is not for this engine: it brings a pooling of its own."""
    if candidate.task not in TASKS or (candidate.adapter and (candidate.adapter / "modules.json").is_file()):
        return None
    return Fit(candidate.task, weigh(candidate), batch_bytes(candidate))


def _load(plan: LoadPlan, _grant: int) -> Engine:
    from llamafarm_universal.host.engines.encode.load import load_encoder

    return load_encoder(plan)


ENGINE = EngineSpec("torch", TASKS, SAFETENSORS, _fit, _load, adapters=True, quantizes=True, abilities=abilities)
