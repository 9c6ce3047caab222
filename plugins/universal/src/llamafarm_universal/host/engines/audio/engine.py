"""The audio engine: parts of all requests, whatever runs the model and whatever is asked of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llamafarm_universal.engine import Accepted, Emit, Limits, LoadedModel, RequestFailed, Work, explained
from llamafarm_universal.host.engines.audio.base import Answer, Head, Part, Runner


@dataclass(eq=False)
class _Job:
    """One request. waiting: its parts that have not been begun; running: those that the runner has."""

    request_id: str
    answer: Answer
    emit: Emit
    waiting: deque[Part]
    running: set[Part] = field(default_factory=set)

    @property
    def may_start(self) -> bool:
        return bool(self.waiting) and self.answer.may_start(self.waiting[0])


class AudioEngine:
    """Keeps the runner in parts, of each request in turn.

    heads: by the name of the operation that each does. model: what is known of the loaded model.
    """

    def __init__(self, runner: Runner, heads: Mapping[str, Head], model: LoadedModel, limits: Limits) -> None:
        self.model = model
        self._runner = runner
        self._heads = heads
        self._max_jobs = limits.sequences(model.device) + limits.max_waiting
        self._jobs: deque[_Job] = deque()

    def prepare(self, work: Work) -> Any:
        """What the head of the work's operation makes of it. Raises RequestFailed."""
        return self._heads[work.operation].prepare(work)

    def submit(self, request_id: str, work: Work, prepared: Any, emit: Emit) -> None:
        if len(self._jobs) >= self._max_jobs:
            raise RequestFailed("busy", "Too many requests wait for this model.", hint="Ask again in a moment.")
        answer = self._heads[work.operation].answer(request_id, work, prepared)
        job = _Job(request_id, answer, emit, deque(answer.parts))
        emit(Accepted(request_id, 0, self.model))
        for event in answer.begin():
            emit(event)
        if job.waiting:
            self._jobs.append(job)

    def cancel(self, request_id: str) -> None:
        for job in [job for job in self._jobs if job.request_id == request_id]:
            self._runner.drop(job.running)
            self._jobs.remove(job)

    def step(self) -> bool:
        if not self._jobs:
            return False
        self._feed()
        for part, value in self._runner.step():
            job = next((job for job in self._jobs if part in job.running), None)
            if job is not None:
                self._take(job, part, value)
        return bool(self._jobs)

    def close(self) -> None:
        self._jobs.clear()
        self._runner.close()
        del self._runner, self._heads

    def _feed(self) -> None:
        """Give the runner what it has room for: one part of each request in turn."""
        while self._runner.room() > 0:
            job = next((job for job in self._jobs if job.may_start), None)
            if job is None:
                return
            part = job.waiting.popleft()
            job.running.add(part)
            self._runner.take(part)
            self._jobs.remove(job)
            self._jobs.append(job)

    def _take(self, job: _Job, part: Part, value: Any) -> None:
        """Tell what a part has brought, and let go of a request that has ended."""
        job.running.discard(part)
        try:
            if isinstance(value, Exception):
                raise value
            events = list(job.answer.add(part, value))
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
            self.cancel(job.request_id)
            job.emit(explained(error, "computing the sound").event(job.request_id))
            return
        for event in events:
            job.emit(event)
        if not (job.waiting or job.running):
            self._jobs.remove(job)
