"""The audio engine, as the runtime finds it."""

from __future__ import annotations

from dataclasses import replace

from llamafarm_universal.engine import Candidate, Engine, EngineSpec, FilePatterns, Fit, LoadPlan
from llamafarm_universal.host.engines.audio.memory import wished_bytes, working_bytes
from llamafarm_universal.safetensors import SAFETENSORS, count_parameters, weigh
from llamafarm_universal.sound_kind import ADAPTERS, has_languages, kind_of

TASKS = ("audio",)
WANTS = FilePatterns((*SAFETENSORS.take, "speaker_embeddings/*.npy"), SAFETENSORS.leave)


def _fit(candidate: Candidate) -> Fit | None:
    if candidate.task not in TASKS or kind_of(candidate.config) is None:
        return None
    held = _of_one_language(candidate) if has_languages(candidate.config) else candidate
    return Fit(candidate.task, weigh(held), working_bytes(candidate), wished_bytes(candidate))


def _of_one_language(candidate: Candidate) -> Candidate:
    """Without the adapters that lie beside a model's weights: it holds one at a time."""
    others = count_parameters(candidate.folder, ADAPTERS)
    return replace(candidate, parameters=candidate.parameters - others)


def _load(plan: LoadPlan, grant: int) -> Engine:
    from llamafarm_universal.host.engines.audio.load import load_audio

    return load_audio(plan, grant)


ENGINE = EngineSpec("torch", TASKS, WANTS, _fit, _load)
