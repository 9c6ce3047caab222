"""What the runtime reads of this engine before a model is loaded: every process of it imports this module."""

from __future__ import annotations

from llamafarm_universal.engine import Candidate, Engine, EngineSpec, FilePatterns, Fit, LoadPlan

from llamafarm_bell_engine.bell import Bell
from llamafarm_bell_engine.melody import LONGEST_SECONDS, SAMPLE_BYTES, read_ring


def fit(candidate: Candidate) -> Fit | None:
    """What a bell weighs, once it is cast; None for what is no bell. Raises RequestFailed for a broken one."""
    if candidate.config.get("model_type") != "bell":
        return None
    bell = Bell.of(candidate.config)
    melody = int(LONGEST_SECONDS * bell.rate) * SAMPLE_BYTES
    return Fit("bell", weight_bytes=bell.samples * SAMPLE_BYTES, working_bytes=melody)


def load(plan: LoadPlan, _grant: int) -> Engine:
    """Cast the bell; what that takes is imported here, in the process that has the models."""
    from llamafarm_bell_engine.engine import BellEngine

    return BellEngine(plan)


ENGINE = EngineSpec(
    name="bell", tasks=("bell",), wants=FilePatterns(("config.json",)), fit=fit, load=load, works={"ring": read_ring}
)
