"""What an engine is. One engine object executes one loaded model; new engines are found by their entry point.

The host calls everything below from one thread, except `load`, which runs in a thread of its own while other engines
step. An engine never blocks: work is done in `step`, a bounded piece at a time, so that all models and streams advance
in turn and a cancelled request is gone before the next step. What a step does for how many requests at once (one
sequence, or a batch of all of them) is the engine's own affair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from llamafarm_universal.host.messages import (
    Accepted,
    Count,
    Counted,
    Embed,
    Embedded,
    Failed,
    Finished,
    Generate,
    LoadedModel,
    Piece,
)
from llamafarm_universal.host.models.plan import LoadPlan
from llamafarm_universal.host.options import HostOptions

Work = Generate | Count | Embed
Result = Accepted | Piece | Finished | Counted | Embedded | Failed
Emit = Callable[[Result], None]


class Engine(Protocol):
    """Executes one model."""

    model: LoadedModel

    @classmethod
    def load(cls, plan: LoadPlan, options: HostOptions) -> Engine:
        """Read the weights. Raises RequestFailed."""
        ...

    def submit(self, work: Work, emit: Emit) -> None:
        """Queue a request: emits Accepted now, the rest from `step`; Counted comes at once.

        Raises RequestFailed to refuse it.
        """
        ...

    def cancel(self, request_id: str) -> None:
        """Forget a request; nothing more is emitted for it. Unknown ids are ignored."""
        ...

    def step(self) -> bool:
        """Do one bounded piece of work. Returns whether more remains. A failing request ends with a Failed event."""
        ...

    def close(self) -> None:
        """Drop the weights and everything else that holds memory."""
        ...
