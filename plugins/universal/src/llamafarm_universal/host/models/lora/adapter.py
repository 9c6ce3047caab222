"""An adapter in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.models.lora.change import Change

_NUMBERS = count(1)


@dataclass(eq=False)
class Adapter:
    """name: how its model is called with it. changes: by the names of the layers.

    mixes: whether texts with it may be read in one forward with others. salt: what tells the texts that are read with
    it from all others, also from those with an adapter of that name which was loaded before. unused: the layers that
    have not been called with it yet.
    """

    name: str
    changes: Mapping[str, Change]
    mixes: bool = True
    salt: str = field(default_factory=lambda: f"adapter {next(_NUMBERS)}")
    unused: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.unused = set(self.changes)

    @property
    def memory_bytes(self) -> int:
        """Bytes of all that it holds."""
        return sum(change.memory_bytes for change in self.changes.values())

    def check_use(self) -> None:
        """Raises RequestFailed where a whole text has been read, and the model computes a layer without calling it.

        Experts that no token has gone to are no such layers: others of their kind have been called.
        """
        if not self.unused:
            return
        used = {_kind(name) for name in self.changes.keys() - self.unused}
        never = sorted(name for name in self.unused if _kind(name) not in used)
        if never:
            raise RequestFailed(
                "not_supported",
                f"{self.name} changes `{never[0]}`, which this model computes without calling it as a layer.",
                hint="Merge the adapter into its base model with peft's `merge_and_unload`, save that, and load it.",
                param="model",
            )


def _kind(layer: str) -> str:
    """What layers of one kind are all called."""
    return ".".join(part for part in layer.split(".") if not part.isdigit())
