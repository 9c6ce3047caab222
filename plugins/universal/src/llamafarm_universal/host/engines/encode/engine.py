"""The encode engine: batches of rows, whatever runs the model and whatever is asked of it."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llamafarm_universal.engine import (
    Accepted,
    CountTexts,
    Emit,
    Finished,
    Limits,
    LoadedModel,
    RequestFailed,
    Usage,
    Work,
    explained,
    refused,
)
from llamafarm_universal.host.engines.encode.base import Encoder, Head
from llamafarm_universal.host.engines.encode.batching import read_together, step_cost
from llamafarm_universal.host.engines.encode.rows import Rows
from llamafarm_universal.host.engines.token_counts import TokenCounts


@dataclass(eq=False)
class Job:
    """One request. left: by kind, the numbers of the rows that have not been read yet, the longest last."""

    request_id: str
    work: Work
    head: Head
    rows: Rows
    emit: Emit
    left: dict[Hashable, list[int]]
    kept: dict[int, Any] = field(default_factory=dict)

    def length(self, number: int) -> int:
        return len(self.rows.distinct[number])

    def nearest(self, kind: Hashable, length: int, most: int) -> list[int]:
        """The numbers of at most so many rows of a kind, of about that length, none of them much longer."""
        left = self.left.get(kind, [])
        above = bisect_right(left, length, key=self.length)
        start = max(0, min(above - (most + 1) // 2, len(left) - most))
        return left[start : start + most]

    def take(self, kind: Hashable, number: int) -> None:
        """Have a row read."""
        self.left[kind].remove(number)
        if not self.left[kind]:
            del self.left[kind]


Batch = list[tuple[Job, int]]
"""Rows that are read together: each the job that it is of, and its number there."""


class EncodeEngine:
    """Reads a batch in each step, of the rows of all requests.

    heads: by the name of the operation that each does. model: what is known of the loaded model. counts: the tokens of
    texts, of a model that reads texts and can be asked for them.
    """

    def __init__(
        self,
        encoder: Encoder,
        heads: Mapping[str, Head],
        model: LoadedModel,
        limits: Limits,
        counts: TokenCounts | None = None,
    ) -> None:
        self.model = model
        self._counts = counts
        self._encoder = encoder
        self._heads = heads
        self._batch_tokens = limits.batch_step(model.device)
        self._max_jobs = limits.sequences(model.device) + limits.max_waiting
        self._step_cost = step_cost(model.device) if encoder.pads else sys.maxsize
        self._jobs: deque[Job] = deque()

    def prepare(self, work: Work) -> Any:
        """The rows of a work, or the tokens of its texts. Raises RequestFailed for one that is empty or too long."""
        if isinstance(work, CountTexts):
            assert self._counts is not None, "the model is not said to count texts"
            return self._counts.of(work.texts)
        rows = self._heads[work.operation].prepare(work)
        if not rows.distinct:
            raise refused("There is nothing to read: the request has no inputs.")
        return rows

    def submit(self, request_id: str, work: Work, prepared: Any, emit: Emit) -> None:
        if isinstance(work, CountTexts):
            emit(Finished(request_id, usage=Usage(prompt_tokens=sum(prepared)), value=prepared))
        else:
            self._queue(request_id, work, prepared, emit)

    def cancel(self, request_id: str) -> None:
        self._jobs = deque(job for job in self._jobs if job.request_id != request_id)

    def step(self) -> bool:
        if not self._jobs:
            return False
        batch = self._next_batch()
        try:
            self._read(batch)
        except Exception as error:  # noqa: BLE001 - a batch that fails never ends the host
            self._read_apart(batch, error)
        self._jobs.rotate(-1)
        return bool(self._jobs)

    def close(self) -> None:
        self._jobs.clear()
        del self._encoder, self._heads

    def _queue(self, request_id: str, work: Work, rows: Rows, emit: Emit) -> None:
        if len(self._jobs) >= self._max_jobs:
            raise RequestFailed("busy", "Too many requests wait for this model.", hint="Ask again in a moment.")
        lengths = [len(row) for row in rows.distinct]
        left: dict[Hashable, list[int]] = defaultdict(list)
        for number in sorted(range(len(lengths)), key=lengths.__getitem__):
            left[rows.distinct[number].kind].append(number)
        self._jobs.append(Job(request_id, work, self._heads[work.operation], rows, emit, dict(left)))
        emit(Accepted(request_id, rows.tokens, self.model))

    def _next_batch(self) -> Batch:
        """The longest row of the job whose turn it is, and rows of that kind of all jobs that are about as long.

        Each job offers its share of a step, so that one of many rows holds up no other.
        """
        turn = self._jobs[0]
        kind, left = next(iter(turn.left.items()))
        length = turn.length(left[-1])
        share = max(1, self._batch_tokens // max(1, length) // len(self._jobs))
        offers = [
            (job.length(number), job, number) for job in self._jobs for number in job.nearest(kind, length, share)
        ]
        offers.sort(key=lambda offer: offer[0])
        at = offers.index((length, turn, left[-1]))
        chosen = read_together([offer[0] for offer in offers], at, self._batch_tokens, self._step_cost)
        batch = [(job, number) for _, job, number in (offers[place] for place in chosen)]
        for job, number in batch:
            job.take(kind, number)
        return batch

    def _read(self, batch: Batch) -> None:
        self._deliver(batch, self._encoder.encode([job.rows.distinct[number] for job, number in batch]))

    def _deliver(self, batch: Batch, encoded: Sequence[Any]) -> None:
        """Give what has been read to its requests; those that have been cancelled meanwhile get nothing."""
        for (job, number), numbers in zip(batch, encoded, strict=True):
            if job in self._jobs:
                job.kept[number] = job.head.read(job.work, job.rows, number, numbers)
        self._finish_whole([job for job, _ in batch])

    def _finish_whole(self, jobs: Iterable[Job]) -> None:
        """Finish those of which all rows have been read."""
        for job in dict.fromkeys(jobs):
            if job in self._jobs and len(job.kept) == len(job.rows.distinct):
                self._finish(job)

    def _read_apart(self, batch: Batch, error: Exception) -> None:
        """What has failed together is read again by request: no request ends for another one's rows."""
        jobs = [job for job in _jobs_of(batch) if job in self._jobs]
        if len(jobs) == 1:
            self._fail(jobs[0], error)
            return
        for job in jobs:
            own = [(owner, number) for owner, number in batch if owner is job]
            try:
                self._read(own)
            except Exception as failure:  # noqa: BLE001 - as in `step`
                self._fail(job, failure)

    def _finish(self, job: Job) -> None:
        value = job.head.value(job.work, job.rows, [job.kept[number] for number in range(len(job.kept))])
        self._jobs.remove(job)
        job.emit(Finished(job.request_id, usage=Usage(prompt_tokens=job.rows.tokens), value=value))

    def _fail(self, job: Job, error: Exception) -> None:
        self.cancel(job.request_id)
        job.emit(explained(error, "reading the inputs").event(job.request_id))


def _jobs_of(batch: Batch) -> list[Job]:
    return [*dict.fromkeys(job for job, _ in batch)]
