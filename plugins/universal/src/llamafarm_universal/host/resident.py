"""A model that is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from llamafarm_universal.device import release_memory
from llamafarm_universal.engine import Engine
from llamafarm_universal.messages import DeviceName, ModelRef


@dataclass(eq=False)
class Resident:
    """ref: its name and version. device: where its weights are. engine: runs it."""

    ref: ModelRef
    device: DeviceName
    engine: Engine

    def close(self) -> None:
        """Give its memory back."""
        self.engine.close()
        release_memory(self.device)
