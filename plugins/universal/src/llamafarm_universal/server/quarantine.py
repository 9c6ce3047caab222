"""Models whose hosts die while they are used: after the second time they are left alone for a while."""

from __future__ import annotations

import asyncio
import logging

from llamafarm.errors import ServiceError

from llamafarm_universal.messages import ModelRef

log = logging.getLogger(__name__)

MAX_STRIKES = 2
"""So often a model may be there when its host dies before it is suspected of it."""
SECONDS = 600.0


class Quarantine:
    """Counts deaths by model. A request that ends well clears a model of what was before."""

    def __init__(self) -> None:
        self._strikes: dict[ModelRef, int] = {}
        self._closed: dict[ModelRef, tuple[float, str]] = {}

    def strike(self, ref: ModelRef, how: str) -> None:
        """A host has died while this model was loaded or asked. how: the way it ended, in words."""
        self._strikes[ref] = self._strikes.get(ref, 0) + 1
        if self._strikes[ref] >= MAX_STRIKES:
            cause = f"its engine host ended {self._strikes[ref]} times while it was used ({how})."
            log.error("%s is not loaded any more: %s", ref.id, cause)
            self._closed[ref] = (asyncio.get_running_loop().time() + SECONDS, cause)

    def clear(self, ref: ModelRef) -> None:
        """The model has done what it was asked."""
        self._strikes.pop(ref, None)

    def pardon(self, ref: ModelRef) -> None:
        """Let the model be tried once more, whatever has happened before."""
        self.clear(ref)
        self._closed.pop(ref, None)

    def cause(self, ref: ModelRef) -> str | None:
        """Why a model is left alone; None where it is not."""
        until, cause = self._closed.get(ref, (0.0, ""))
        return cause if until > asyncio.get_running_loop().time() else None

    def check(self, ref: ModelRef) -> None:
        """Raises ServiceError for a model that is left alone."""
        if cause := self.cause(ref):
            raise ServiceError(
                f"`{ref.id}` is not loaded any more: {cause}",
                hint="POST /v1/models/load tries it once more; a smaller dtype or another device may help.",
                code="model_quarantined",
            )
