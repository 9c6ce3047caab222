"""The vision engine, as the runtime finds it."""

from __future__ import annotations

from dataclasses import replace

from llamafarm_universal.engine import Abilities, Candidate, Engine, EngineSpec, Fit, LoadPlan
from llamafarm_universal.host.engines.encode.abilities import abilities as of_encoders
from llamafarm_universal.host.engines.working import batch_bytes
from llamafarm_universal.messages.work import user_names
from llamafarm_universal.safetensors import SAFETENSORS, weigh
from llamafarm_universal.task import sight_of

TASKS = ("vision",)
MOST_NUMBERS = 2**27
"""The classes of all pixels of a picture: where there are more, its parts are found in a smaller one, and enlarged."""


def _fit(candidate: Candidate) -> Fit | None:
    if candidate.task not in TASKS:
        return None
    enlarged = 4 * MOST_NUMBERS if sight_of(candidate.config) == "segment_pictures" else 0
    return Fit(candidate.task, weigh(candidate), batch_bytes(candidate) + enlarged)


def _load(plan: LoadPlan, _grant: int) -> Engine:
    from llamafarm_universal.host.engines.vision.load import load_vision

    return load_vision(plan)


def _abilities(candidate: Candidate) -> Abilities:
    operation = sight_of(candidate.config)
    if operation is None:
        return Abilities()
    if operation == "label_pictures":  # such models have texts in the same space
        return of_encoders(replace(candidate, task="embedding"))
    return Abilities(frozenset({operation}), frozenset(user_names(operation)))


ENGINE = EngineSpec("torch", TASKS, SAFETENSORS, _fit, _load, abilities=_abilities)
