"""Whoever reaches the models of a project: a `Farm`, or the `Turn` of a chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import llamafarm
from llamafarm.wire import Operation


class AsksModels(Protocol):
    """Whoever reaches the models of the project: a `Farm`, or the `Turn` of a chat."""

    async def ask(self, operation: Operation, request: Mapping[str, Any], *, model: str | None = None) -> Any:
        """Ask a model entry."""


@runtime_checkable
class CountsTexts(Protocol):
    """One who can have tokens counted by the runtime."""

    async def count_tokens(self, texts: Sequence[str], *, model: str | None = None) -> list[int] | None:
        """The number of each text; None where the entry's provider cannot count."""


@runtime_checkable
class DescribesModels(Protocol):
    """One who can ask what is known of a model."""

    async def describe(self, model: str | None = None) -> llamafarm.ModelInfo:
        """What the runtime says of a model entry."""
