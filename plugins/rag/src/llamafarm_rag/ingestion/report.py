"""What became of the files of a dataset."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["added", "changed", "unchanged", "removed", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("added", "changed", "unchanged", "removed", "failed")


@dataclass(frozen=True)
class FileRow:
    """One file, or one place that cannot be looked at.

    file: as the user sees it. chunks: how many it has in the database now; of a failed one, those of an earlier state
    that stay there. cause: why it failed, in a sentence. hint: what to do about it.
    """

    file: str
    outcome: Outcome
    chunks: int = 0
    cause: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Report:
    """What one run did.

    rows: one for each file, sorted by its name. left_out: files below the sources that are hidden or of a kind that
    nobody reads. chunks: how many were embedded. seconds: how long it took.
    """

    dataset: str
    database: str
    rows: tuple[FileRow, ...]
    left_out: int = 0
    chunks: int = 0
    seconds: float = 0.0

    @property
    def totals(self) -> dict[Outcome, int]:
        """How many files there are of each outcome."""
        counted = Counter(row.outcome for row in self.rows)
        return {outcome: counted[outcome] for outcome in OUTCOMES}

    @property
    def failed(self) -> list[FileRow]:
        """The rows of what failed."""
        return [row for row in self.rows if row.outcome == "failed"]

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values; what is None is left out of rows."""
        rows = [{key: value for key, value in asdict(row).items() if value is not None} for row in self.rows]
        return {**asdict(self), "rows": rows, "totals": self.totals}
