"""The vision engine, as the runtime finds it."""

from __future__ import annotations

from llamafarm_universal.engine import Candidate, Engine, EngineSpec, Fit, LoadPlan
from llamafarm_universal.host.engines.working import batch_bytes
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


ENGINE = EngineSpec("torch", TASKS, SAFETENSORS, _fit, _load)
