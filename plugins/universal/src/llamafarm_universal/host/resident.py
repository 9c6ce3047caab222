"""A model that is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from llamafarm_universal.device import release_memory
from llamafarm_universal.engine import Engine
from llamafarm_universal.messages import DeviceName, ModelRef


@dataclass(eq=False)
class Resident:
    """ref: its name and version. device: where its weights are. engine: runs it. base: of a model with an adapter, the
    one whose steps do its work.
    """

    ref: ModelRef
    device: DeviceName
    engine: Engine
    base: Resident | None = None

    @property
    def stepping(self) -> Resident:
        """Whose steps do its work."""
        return self.base or self

    def close(self) -> None:
        """Give its memory back."""
        self.engine.close()
        release_memory(self.device)
