"""One model in memory, or on its way there, and how long it is to stay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from llamafarm_universal.messages import LoadedModel, LoadProgress, ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.server.hosts.supervisor import Supervisor
from llamafarm_universal.server.keep import Keep

State = Literal["locating", "waiting", "loading", "ready", "draining"]
Listener = Callable[[LoadProgress], None]
"""Told how a load goes on."""


@dataclass(eq=False)
class Resident:
    """A model in memory, or on its way there.

    active: its requests. carried: those of its adapters, while which it stays. idle_since: when the last of them ended.
    base: the model that it changes, where it is loaded as an adapter beside that one's weights.
    """

    ref: ModelRef
    keep: Keep
    state: State = "locating"
    plan: LoadPlan | None = None
    host: Supervisor | None = None
    model: LoadedModel | None = None
    active: int = 0
    carried: int = 0
    idle_since: float = 0.0
    listeners: list[Listener] = field(default_factory=list)
    loading: asyncio.Task[None] | None = None
    draining: asyncio.Task[None] | None = None
    reaper: asyncio.TimerHandle | None = None
    base: Resident | None = None

    @property
    def may_go(self) -> bool:
        """Whether it is loaded and may make room."""
        return self.state in ("ready", "draining") and not self.keep.pinned

    @property
    def is_busy(self) -> bool:
        """Whether it has requests, or some that have waited for it and are about to begin."""
        return self.active > 0 or self.carried > 0 or bool(self.listeners)

    @property
    def is_draining(self) -> bool:
        """Whether nothing new may come to it: it is to go, or what it changes is."""
        return self.state == "draining" or (self.base is not None and self.base.state == "draining")

    def reads(self, model: str) -> bool:
        """Whether it is loaded from the files of that model."""
        return model in (self.plan.models if self.plan is not None else (self.ref.id,))

    def tell(self, progress: LoadProgress) -> None:
        """Let everybody who waits know."""
        for listen in list(self.listeners):
            listen(progress)
