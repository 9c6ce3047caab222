"""The trace of a turn: what its stages say that they did."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Note:
    """What one stage says. seconds: since the turn began. facts: JSON values, for the person who looks for a cause."""

    stage: str
    seconds: float
    facts: Mapping[str, Any]


@dataclass
class Trace:
    """The notes of one turn, in the order in which they were taken."""

    notes: list[Note] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def note(self, stage: str, facts: Mapping[str, Any]) -> None:
        """Add one note."""
        self.notes.append(Note(stage, time.perf_counter() - self.began, facts))

    def rows(self) -> list[dict[str, Any]]:
        """The notes as JSON: `stage`, `seconds` and the facts of each."""
        return [{"stage": note.stage, "seconds": round(note.seconds, 6), **note.facts} for note in self.notes]
