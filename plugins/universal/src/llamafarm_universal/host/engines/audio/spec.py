"""The audio engine, as the runtime finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from llamafarm_universal.chat_template import read_object
from llamafarm_universal.engine import Abilities, Candidate, Engine, EngineSpec, FilePatterns, Fit, LoadPlan
from llamafarm_universal.host.engines.audio.memory import wished_bytes, working_bytes
from llamafarm_universal.messages.work import user_names
from llamafarm_universal.safetensors import SAFETENSORS, count_parameters, weigh
from llamafarm_universal.sound_kind import ADAPTERS, Kind, has_languages, kind_of

TASKS = ("audio",)
_OPERATIONS: Mapping[Kind, tuple[str, ...]] = {
    "whisper": ("transcribe", "translate"),
    "ctc": ("transcribe",),
    "classes": ("classify_sounds",),
    "vits": ("speak",),
    "speecht5": ("speak",),
    "bark": ("speak",),
}
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


def _abilities(candidate: Candidate) -> Abilities:
    operations = set(_OPERATIONS[kind] if (kind := kind_of(candidate.config)) else ())
    generation = read_object(candidate.folder / "generation_config.json")
    if not generation.get("is_multilingual", True) or "translate" not in (generation.get("task_to_id") or ()):
        operations.discard("translate")
    names = (name for operation in operations for name in user_names(operation))
    return Abilities(frozenset(operations), frozenset(names))


ENGINE = EngineSpec("torch", TASKS, WANTS, _fit, _load, abilities=_abilities)
