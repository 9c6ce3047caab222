"""The right to ask a model that is in memory."""

from __future__ import annotations

from collections.abc import Callable

from llamafarm_universal.server.resident import Resident


class Lease:
    """While it is held, its model stays. Whoever holds it gives it back; giving it back twice does nothing.

    end: told of the model when that happens.
    """

    def __init__(self, resident: Resident, end: Callable[[Resident], None]) -> None:
        assert resident.model is not None
        assert resident.host is not None
        self.model = resident.model
        self.host = resident.host
        self.resident = resident
        self._end: Callable[[Resident], None] | None = end

    def release(self) -> None:
        """The request has ended."""
        end, self._end = self._end, None
        if end is not None:
            end(self.resident)
