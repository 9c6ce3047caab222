"""What the audio engine is put together from: a runner, which runs the model, and a head for each operation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from llamafarm_universal.engine import Result, Work


@dataclass(eq=False)
class Part:
    """A piece of a request that the model does by itself, such as a window of a recording.

    request: what all parts of a request share. number: of the part, from 0. content: as its runner reads it.
    """

    request: Any
    number: int
    content: Any


class Runner(Protocol):
    """Runs the model on parts, of several requests at once. It knows nothing of requests and operations."""

    def room(self) -> int:
        """How many more parts it takes now."""
        ...

    def take(self, part: Part) -> None:
        """Begin with a part."""
        ...

    def drop(self, parts: Iterable[Part]) -> None:
        """Forget parts; nothing is told of them any more. Those that it does not have are ignored."""
        ...

    def step(self) -> Sequence[tuple[Part, Any]]:
        """Do one bounded piece of work. Returns the parts that are done, each with its value, or with an exception."""
        ...

    def close(self) -> None:
        """End what is under way, and forget all parts."""
        ...


class Answer(Protocol):
    """One request under way. parts: all that are to be run, in their order; they may be fewer than there were."""

    parts: Sequence[Part]

    def may_start(self, part: Part) -> bool:
        """Whether a part can be run now; where it cannot, an earlier one of the request has to be done first."""
        ...

    def begin(self) -> Iterable[Result]:
        """What is told before any part is done: all of it, where there are none."""
        ...

    def add(self, part: Part, value: Any) -> Iterable[Result]:
        """What is told when a part is done. Parts come in any order."""
        ...


class Head(Protocol):
    """One operation of a model."""

    def prepare(self, work: Work) -> Any:
        """Called in a worker thread. Raises RequestFailed for a work that is wrong, or too long."""
        ...

    def answer(self, request_id: str, work: Work, prepared: Any) -> Answer:
        """The answer to a work, of which nothing is done yet."""
        ...
