"""A loaded model with an adapter: an engine that has no weights but the adapter's, and runs on that of its base."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from llamafarm_universal.engine import Accepted, Emit, Engine, LoadedModel, Result, Work

A = TypeVar("A")
Taken = TypeVar("Taken", contravariant=True)


class Adaptable(Engine, Protocol[Taken]):
    """An engine whose requests may each have an adapter."""

    def submit(self, request_id: str, work: Work, prepared: Any, emit: Emit, adapter: Taken | None = None) -> None: ...

    def drop(self, adapter: Taken) -> None:
        """Forget an adapter, which no request has any more."""
        ...


class Adapted(Generic[A]):
    """base: executes it, beside all others. model: what is known of the base with the adapter."""

    def __init__(self, base: Adaptable[A], model: LoadedModel, adapter: A) -> None:
        self.model = model
        self._base = base
        self._adapter = adapter

    def prepare(self, work: Work) -> Any:
        return self._base.prepare(work)

    def submit(self, request_id: str, work: Work, prepared: Any, emit: Emit) -> None:
        def tell(event: Result) -> None:
            emit(replace(event, model=self.model) if isinstance(event, Accepted) else event)

        self._base.submit(request_id, work, prepared, tell, self._adapter)

    def cancel(self, request_id: str) -> None:
        self._base.cancel(request_id)

    def step(self) -> bool:
        """One of the base's, for all of its requests."""
        return self._base.step()

    def close(self) -> None:
        self._base.drop(self._adapter)
