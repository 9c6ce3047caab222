"""Which sequence advances when. Knows nothing of models.

Sequences wait in one line for each request and enter in turn, so that a request for many answers does not keep a later
request out. In each step every running sequence that is past its prompt advances by one token, and one sequence reads a
bounded chunk of its prompt: a long prompt slows the others down a little, and stops none.
"""

from __future__ import annotations

from collections import deque

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.sequence import Sequence


class Scheduler:
    def __init__(self, max_running: int, max_waiting: int) -> None:
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._waiting: deque[deque[Sequence]] = deque()
        self._running: list[Sequence] = []
        self._prefilling: deque[Sequence] = deque()

    @property
    def has_work(self) -> bool:
        return bool(self._running or self._waiting)

    @property
    def running(self) -> int:
        """How many sequences advance."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many sequences wait for others to end."""
        return sum(map(len, self._waiting))

    def add(self, sequences: list[Sequence]) -> None:
        """Queue the sequences of one request. Raises RequestFailed (`busy`) when too many wait."""
        if self.running + self.waiting + len(sequences) > self._max_running + self._max_waiting:
            raise RequestFailed("busy", "Too many requests wait for this model.", hint="Ask again in a moment.")
        self._waiting.append(deque(sequences))
        self._admit()

    def holds(self, request_id: str) -> bool:
        """Whether any sequence of a request still runs or waits."""
        sequences = [*self._running, *(sequence for line in self._waiting for sequence in line)]
        return any(sequence.request_id == request_id for sequence in sequences)

    def to_prefill(self) -> Sequence | None:
        """The sequence whose prompt is read next; each call names another one while there are several."""
        if not self._prefilling:
            return None
        sequence = self._prefilling.popleft()
        self._prefilling.append(sequence)
        return sequence

    def to_decode(self) -> list[Sequence]:
        """All running sequences that are past their prompts."""
        return [sequence for sequence in self._running if not sequence.prefilling]

    def prefilled(self, sequence: Sequence) -> None:
        """The whole prompt of a sequence has been read."""
        self._prefilling.remove(sequence)

    def remove(self, request_id: str, index: int | None = None) -> None:
        """Forget a request, or one sequence of it, and let waiting ones in."""
        self._running = [sequence for sequence in self._running if not _is(sequence, request_id, index)]
        self._prefilling = deque(sequence for sequence in self._prefilling if not _is(sequence, request_id, index))
        lines = [deque(item for item in line if not _is(item, request_id, index)) for line in self._waiting]
        self._waiting = deque(line for line in lines if line)
        self._admit()

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self._max_running:
            line = self._waiting.popleft()
            sequence = line.popleft()
            self._running.append(sequence)
            self._prefilling.append(sequence)
            if line:
                self._waiting.append(line)


def _is(sequence: Sequence, request_id: str, index: int | None) -> bool:
    return sequence.request_id == request_id and index in (None, sequence.index)
