"""The audio engine, as the runtime finds it."""

from __future__ import annotations

from llamafarm_universal.engine import Candidate, Engine, EngineSpec, FilePatterns, Fit, LoadPlan
from llamafarm_universal.host.engines.audio.memory import wished_bytes, working_bytes
from llamafarm_universal.safetensors import SAFETENSORS, weigh
from llamafarm_universal.sound_kind import kind_of

TASKS = ("audio",)
WANTS = FilePatterns((*SAFETENSORS.take, "speaker_embeddings/*.npy"), SAFETENSORS.leave)


def _fit(candidate: Candidate) -> Fit | None:
    if candidate.task not in TASKS or kind_of(candidate.config) is None:
        return None
    return Fit(candidate.task, weigh(candidate), working_bytes(candidate), wished_bytes(candidate))


def _load(plan: LoadPlan, grant: int) -> Engine:
    from llamafarm_universal.host.engines.audio.load import load_audio

    return load_audio(plan, grant)


ENGINE = EngineSpec("torch", TASKS, WANTS, _fit, _load, quantizes=True)
