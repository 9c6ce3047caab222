"""How long a model stays in memory."""

from __future__ import annotations

from dataclasses import dataclass

FOREVER = -1


@dataclass(frozen=True)
class Keep:
    """seconds: how long it stays idle, None for ever. pinned: it makes room for no other model.

    group: models of one group are never in memory together.
    """

    seconds: float | None = 300.0
    pinned: bool = False
    group: str | None = None

    @classmethod
    def of(cls, keep_alive: float | None, group: str | None, *, default: Keep) -> Keep:
        """As a request or a file says it: `keep_alive` in seconds, FOREVER or below for ever; None: the default's."""
        seconds = default.seconds if keep_alive is None else keep_alive
        return cls(None if seconds is not None and seconds < 0 else seconds, default.pinned, group or default.group)
