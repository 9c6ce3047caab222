"""An engine, driven by hand as the host drives it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from llamafarm_universal.engine import Accepted, Engine, Failed, Finished, Result, Work


@dataclass(eq=False)
class Asked:
    """One request that an engine works on. events: what it has told of it."""

    request_id: str
    work: Work
    events: list[Result] = field(default_factory=list)

    @property
    def ends(self) -> list[Result]:
        """Its last events: one for each answer, or a Failed."""
        return [event for event in self.events if event.is_last]

    @property
    def ended(self) -> bool:
        """Whether nothing more may come."""
        return len(self.ends) >= self.work.answers or any(isinstance(event, Failed) for event in self.events)

    @property
    def accepted(self) -> list[Accepted]:
        return [event for event in self.events if isinstance(event, Accepted)]

    @property
    def finished(self) -> list[Finished]:
        """The end of each answer, by index. Raises AssertionError where it has failed."""
        failed = [event for event in self.events if isinstance(event, Failed)]
        assert not failed, f"`{self.work.operation}` has failed: {failed[0].kind}: {failed[0].message}"
        return sorted((event for event in self.events if isinstance(event, Finished)), key=lambda event: event.index)


class Bench:
    """Gives works to an engine and has it step. most_steps: how many any test may take."""

    def __init__(self, engine: Engine, most_steps: int) -> None:
        self.engine = engine
        self.most_steps = most_steps
        self._numbers = itertools.count(1)

    def start(self, work: Work) -> Asked:
        """Prepare a work and submit it. Raises what the engine raises."""
        return self.submit(work, self.engine.prepare(work))

    def submit(self, work: Work, prepared: Any) -> Asked:
        """Submit a work that has been prepared, under an id of its own."""
        asked = Asked(f"request-{next(self._numbers)}", work)
        self.engine.submit(asked.request_id, work, prepared, asked.events.append)
        return asked

    def run(self, *asked: Asked) -> None:
        """Step until all of these have ended. Raises AssertionError where one never does."""
        for _ in range(self.most_steps):
            if all(request.ended for request in asked):
                return
            self.engine.step()
        names = ", ".join(f"`{request.work.operation}`" for request in asked if not request.ended)
        raise AssertionError(f"{names} has not ended after {self.most_steps:,} steps")

    def answer(self, work: Work) -> Asked:
        """A work from its start to its end, with nothing beside it."""
        asked = self.start(work)
        self.run(asked)
        return asked

    def rest(self) -> None:
        """A few more steps, in which nothing has to happen."""
        for _ in range(3):
            self.engine.step()
