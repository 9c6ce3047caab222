"""The engine of models that look at pictures."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from llamafarm_universal.engine import Limits, LoadedModel
from llamafarm_universal.host.engines.encode.base import Encoder, Head
from llamafarm_universal.host.engines.encode.engine import Batch, EncodeEngine, Job

_Reading = tuple[Job, int, Generator[None, None, Any]]
"""A job, the number of one of its pictures, and what reads what the model says of that, in pieces."""


class LookingEngine(EncodeEngine):
    """Looks at a batch in a step. Where heads read in pieces what the model says, each piece is a step of its own."""

    def __init__(self, encoder: Encoder, heads: Mapping[str, Head], model: LoadedModel, limits: Limits) -> None:
        super().__init__(encoder, heads, model, limits)
        self._readings: deque[_Reading] = deque()

    def step(self) -> bool:
        if not self._readings:
            return super().step()
        self._read_on(*self._readings[0])
        return bool(self._jobs)

    def cancel(self, request_id: str) -> None:
        super().cancel(request_id)
        self._readings = deque(reading for reading in self._readings if reading[0].request_id != request_id)

    def close(self) -> None:
        self._readings.clear()
        super().close()

    def _deliver(self, batch: Batch, encoded: Sequence[Any]) -> None:
        for (job, number), seen in zip(batch, encoded, strict=True):
            told = job.head.read(job.work, job.rows, number, seen)
            if isinstance(told, Generator):
                self._readings.append((job, number, told))
            else:
                job.kept[number] = told
        self._finish_whole([job for job, _ in batch])

    def _read_on(self, job: Job, number: int, reading: Generator[None, None, Any]) -> None:
        try:
            next(reading)
        except StopIteration as end:
            self._readings.popleft()
            job.kept[number] = end.value
            self._finish_whole([job])
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
            self._fail(job, error)
