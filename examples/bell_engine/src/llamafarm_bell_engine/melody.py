"""The work: a melody to ring, as requests ask for it, and as times and pitches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from llamafarm_universal.engine import refused

LONGEST_SECONDS = 60.0
SAMPLE_BYTES = 4
MOST_NOTES = 512
REST = "-"
_NOTE = re.compile(r"([A-G])([#b]?)([2-7])")
_STEPS = {"C": -9, "D": -7, "E": -5, "F": -4, "G": -2, "A": 0, "B": 2}
_SHIFTS = {"": 0, "#": 1, "b": -1}


@dataclass(frozen=True)
class Ring:
    """Ring notes one after the other. Value: a Blob with the sound. beat: seconds from each note to the next."""

    operation: ClassVar[str] = "ring"
    answers: ClassVar[int] = 1

    notes: tuple[str, ...]
    beat: float = 0.5


def read_ring(fields: Mapping[str, Any]) -> Ring:
    """The work that a request's fields mean: `notes`, a text or a list of texts, and `beat`. Raises RequestFailed."""
    if unknown := sorted(fields.keys() - {"notes", "beat"}):
        raise refused(f"There is no field {unknown[0]!r}.", f"input.{unknown[0]}", hint="There are `notes` and `beat`.")
    notes = fields.get("notes")
    if isinstance(notes, str):
        notes = notes.split()
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise refused("`notes` must be a text such as 'C4 E4 G4', or a list of notes.", "input.notes")
    beat = fields.get("beat", Ring.beat)
    if isinstance(beat, bool) or not isinstance(beat, int | float) or not 0.05 <= beat <= 2:
        raise refused("`beat` must be a number of seconds from 0.05 to 2.", "input.beat")
    return Ring(tuple(notes), float(beat))


def pitches(work: Ring) -> list[float | None]:
    """The frequency of each note in hertz, None for a rest. Raises RequestFailed for what is no note, or too long."""
    if not 1 <= len(work.notes) <= MOST_NOTES or len(work.notes) * work.beat > LONGEST_SECONDS:
        raise refused(
            f"A melody has 1 to {MOST_NOTES} notes and lasts up to {LONGEST_SECONDS:g} seconds.", "input.notes"
        )
    return [None if note == REST else _hertz(note) for note in work.notes]


def _hertz(note: str) -> float:
    match = _NOTE.fullmatch(note)
    if match is None:
        hint = "Notes are C2 to B7, with # or b: C4, F#5, Bb3. A rest is `-`."
        raise refused(f"{note[:20]!r} is no note.", "input.notes", hint=hint)
    letter, shift, octave = match.groups()
    steps = _STEPS[letter] + _SHIFTS[shift] + 12 * (int(octave) - 4)
    return float(440 * 2 ** (steps / 12))
