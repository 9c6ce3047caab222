"""Whether bfloat16 pays on this processor: half the bytes to read, where it does not have to be emulated."""

from __future__ import annotations

import logging

from llamafarm_universal.host.models.linears.kinds import EXACT
from llamafarm_universal.host.models.linears.record import Record, this_record
from llamafarm_universal.host.models.linears.trial import ROWS, Shape

log = logging.getLogger(__name__)

_SIZE = 2048  # inputs and outputs of a layer as models of some hundred million parameters have them
_COMPARED = (ROWS.index(1), ROWS.index(64))
"""Answers are written with few rows, where reading weights takes the time; prompts are read with many."""


def bf16_pays(record: Record | None = None) -> bool:
    """Whether linear layers in bfloat16, in their best form, are as fast as in float32 with one row and with many.

    record: of what was measured here before; this machine's, unless told.
    """
    record = record or this_record()
    try:
        full, half = (_best(record, dtype) for dtype in ("float32", "bfloat16"))
    except Exception as error:  # noqa: BLE001 - a processor that cannot be measured computes as all do
        log.warning("Whether bf16 pays on this processor could not be measured: %s", error)
        return False
    return all(half[at] <= full[at] for at in _COMPARED)


def _best(record: Record, dtype: str) -> list[float]:
    """The least time at each of ROWS. Raises ValueError where no form works."""
    times = record.times(Shape(_SIZE, _SIZE, dtype, has_bias=False), EXACT)
    return [min(form[at] for form in times.values()) for at in range(len(ROWS))]
