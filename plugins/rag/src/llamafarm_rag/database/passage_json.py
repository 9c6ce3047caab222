"""What a passage says of itself beside its text, as JSON: types, order and large numbers stay as they are."""

from __future__ import annotations

import json

from llamafarm_rag.database.passage import Passage


def dump_passage(passage: Passage) -> str:
    """All of it but its id and text."""
    kept = {
        "file": passage.file,
        "dataset": passage.dataset,
        "number": passage.number,
        "start": passage.start,
        "end": passage.end,
        "page": passage.page,
        "heading": passage.heading,
        "metadata": dict(passage.metadata),
    }
    return json.dumps(kept)


def load_passage(row: str, text: str, dumped: str) -> Passage:
    """The passage of that id. Raises ValueError, TypeError or KeyError for what `dump_passage` has not written."""
    fields = json.loads(dumped)
    return Passage(id=row, text=text, **{**fields, "heading": tuple(fields["heading"])})
