"""What the operations on pictures have in common: a row for each picture, an item of the value for each."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any, cast

from llamafarm_universal.engine import PicturesWork, Work, refused
from llamafarm_universal.host.engines.encode.pictures import ProcessedPictures
from llamafarm_universal.host.engines.encode.rows import Row, Rows


class PicturesHead:
    """One operation. Subclasses say what is asked about the pictures, and read what the model says of one."""

    def __init__(self, pictures: ProcessedPictures) -> None:
        self._pictures = pictures

    def prepare(self, work: Work) -> Rows:
        """The rows of a work; what is asked is checked before any picture is decoded. Raises RequestFailed."""
        work = cast("PicturesWork", work)
        if not work.pictures:
            raise refused("There is nothing to look at: `input` is empty.", "input")
        asked = self.asked(work)
        numbers = range(len(work.pictures))
        rows = self._pictures.rows(work.pictures, numbers, work.folder, field="input")
        return Rows.of(replace(row, asked=asked) for row in rows)

    def asked(self, _work: Any) -> Hashable:
        """What is asked about each picture beside what the model always says. Raises RequestFailed."""
        return None

    def read(self, work: Work, rows: Rows, number: int, seen: Any, /) -> Any:
        """The item of the picture of that number."""
        return self.item(work, rows.distinct[number], seen)

    def item(self, work: Any, row: Row, seen: Any) -> Any:
        """What the value says of a picture."""
        raise NotImplementedError

    def value(self, _work: Work, rows: Rows, kept: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(kept[place] for place in rows.places)


def size_of(row: Row) -> tuple[int, int]:
    """The height and width of the picture itself, in pixels."""
    assert row.pixels is not None, "rows of pictures have pixels"
    return row.pixels.size
