"""The engine of models that write about pictures: each step is one token of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from llamafarm_universal.engine import Limits, LoadedModel
from llamafarm_universal.host.engines.encode.base import Head
from llamafarm_universal.host.engines.encode.engine import Batch, EncodeEngine
from llamafarm_universal.host.engines.stepwise import Stepwise
from llamafarm_universal.host.engines.vision.caption import Captioner


@dataclass(frozen=True)
class _Writing:
    """A batch that is being written about."""

    batch: Batch
    work: Stepwise[Sequence[Any]]


class WritingEngine(EncodeEngine):
    """Writes about one batch at a time. It ends at once where nobody waits for any picture of it any more."""

    def __init__(self, captioner: Captioner, heads: Mapping[str, Head], model: LoadedModel, limits: Limits) -> None:
        super().__init__(captioner, heads, model, limits)
        self._writing: _Writing | None = None

    def step(self) -> bool:
        if self._writing is None:
            if not self._jobs:
                return False
            batch = self._next_batch()
            rows = [job.rows.distinct[number] for job, number in batch]
            self._writing = _Writing(batch, Stepwise(partial(self._encoder.encode, rows)))
        self._advance(self._writing)
        return bool(self._jobs)

    def cancel(self, request_id: str) -> None:
        super().cancel(request_id)
        if self._writing is not None and not any(job in self._jobs for job, _ in self._writing.batch):
            self._writing.work.close()
            self._writing = None

    def close(self) -> None:
        if self._writing is not None:
            self._writing.work.close()
            self._writing = None
        super().close()

    def _advance(self, writing: _Writing) -> None:
        try:
            if not writing.work.step():
                return
            self._writing = None
            self._deliver(writing.batch, writing.work.value())
        except Exception as error:  # noqa: BLE001 - a batch that fails never ends the host
            self._writing = None
            self._read_apart([each for each in writing.batch if each[0] in self._jobs], error)
        self._jobs.rotate(-1)
