"""What a work is."""

from __future__ import annotations

from typing import ClassVar, Protocol


class Work(Protocol):
    """What one operation asks of an engine: a frozen dataclass of plain values that can be pickled.

    operation: its name, by which the host knows whether a model can do it. answers: how many `Finished` it ends with,
    one for each index from 0.
    """

    operation: ClassVar[str]

    @property
    def answers(self) -> int: ...
