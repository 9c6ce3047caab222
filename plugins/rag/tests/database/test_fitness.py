"""What no database can keep is refused before anything of it is kept."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from databases import passages, vectors
from llamafarm.errors import UsageError
from llamafarm_rag.database.fitness import refuse_unfit

ROWS = passages("a.txt", 2)
HALF = dataclasses.replace(ROWS[1], text="half \ud83e")


@pytest.mark.parametrize(
    ("rows", "numbers", "said"),
    [
        (ROWS, vectors(1), "2 passages come with vectors of the shape"),
        (ROWS, vectors(1)[0], "of the shape"),
        (ROWS, np.full((2, 4), np.nan, dtype=np.float32), "NaN"),
        ([ROWS[0], ROWS[0]], vectors(2), "Two passages of a.txt have the id 'a.txt-1-0'"),
        ([dataclasses.replace(ROWS[0], file="\udcff.txt")], vectors(1), "name of the file .* is no text"),
        ([dataclasses.replace(ROWS[1], metadata={"by": "\ud83e"})], vectors(1), "Passage 1 of a.txt has half"),
        ([ROWS[0], HALF], vectors(2), "Passage 1 of a.txt has half characters"),
    ],
)
def test_what_does_not_fit_is_said(rows, numbers, said):
    with pytest.raises(UsageError, match=said):
        refuse_unfit(rows, numbers)


def test_what_fits_passes():
    refuse_unfit(ROWS, vectors(2))
