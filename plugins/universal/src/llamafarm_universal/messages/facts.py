"""What the files of a model say of it, before its weights are read."""

from __future__ import annotations

from dataclasses import dataclass, field

from llamafarm_universal.messages.plan import Abilities


@dataclass(frozen=True)
class AdapterFacts:
    """What the files of an adapter say. kind: such as `LoRA` or `DoRA`. rank: of its changes; None: it has several.

    changes: the names of the layers, without their numbers, or the parts of a pipeline. trained_for: the model that it
    names itself. weight_bytes: of its files.
    """

    kind: str
    rank: int | None = None
    changes: tuple[str, ...] = ()
    trained_for: str | None = None
    weight_bytes: int = 0


@dataclass(frozen=True)
class FileFacts:
    """What the files of a model say, whether it is loaded or not; None is not known.

    adapter: what its settings put on it. problem: why it cannot be loaded.
    """

    task: str | None = None
    engine: str | None = None
    parameters: int | None = None
    abilities: Abilities = field(default_factory=Abilities)
    adapter: AdapterFacts | None = None
    problem: str | None = None
