"""Models whose hosts die while they are used: from the second time on they are left alone for a while."""

from __future__ import annotations

import asyncio
import logging

from llamafarm.errors import ServiceError

from llamafarm_universal.messages import ModelRef

log = logging.getLogger(__name__)

MAX_STRIKES = 2
"""So often a model may be there when its host dies before it is suspected of it."""
FIRST_SECONDS = 15.0
"""How long it is left alone then; after each further death twice as long."""
MAX_SECONDS = 600.0


class Quarantine:
    """Counts deaths by model. A request that ends well clears a model of what was before."""

    def __init__(self) -> None:
        self._strikes: dict[ModelRef, int] = {}
        self._closed: dict[ModelRef, tuple[float, str]] = {}

    def strike(self, ref: ModelRef, how: str) -> None:
        """A host has died while this model was loaded or asked. how: the way it ended, in words."""
        strikes = self._strikes[ref] = self._strikes.get(ref, 0) + 1
        if strikes >= MAX_STRIKES:
            cause = f"its engine host ended {strikes} times while it was used ({how})."
            log.error("%s is left alone for a while: %s", ref.id, cause)
            seconds = min(FIRST_SECONDS * 2 ** (strikes - MAX_STRIKES), MAX_SECONDS)
            self._closed[ref] = (_now() + seconds, cause)

    def clear(self, ref: ModelRef) -> None:
        """The model has done what it was asked."""
        self._strikes.pop(ref, None)

    def cause(self, ref: ModelRef) -> str | None:
        """Why a model is left alone; None where it is not."""
        until, cause = self._closed.get(ref, (0.0, ""))
        return cause if until > _now() else None

    def check(self, ref: ModelRef) -> None:
        """Raises ServiceError for a model that is left alone."""
        if cause := self.cause(ref):
            left = self._closed[ref][0] - _now()
            raise ServiceError(
                f"`{ref.id}` is left alone for a while: {cause}",
                hint=f"It is tried again in {left:.0f} s; a smaller dtype or another device may help.",
                code="model_quarantined",
            )


def _now() -> float:
    return asyncio.get_running_loop().time()
