"""What engines count, told once a second while any of them works, and once when they rest."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from llamafarm_universal.host.resident import Resident
from llamafarm_universal.messages.statistics import Stats
from llamafarm_universal.meter import Metered

log = logging.getLogger(__name__)
_SECONDS = 1.0


class Counts:
    """tell: takes what an engine has counted since it was asked last."""

    def __init__(self, tell: Callable[[Stats], None]) -> None:
        self._tell = tell
        self._due = 0.0

    def tell(self, residents: Iterable[Resident], *, working: bool) -> None:
        """Tell what all of them have counted, where it is time to. working: whether any of them has work."""
        now = time.monotonic()
        if working and now < self._due:
            return
        self._due = now + _SECONDS
        for resident in residents:
            self.tell_of(resident)

    def tell_of(self, resident: Resident) -> None:
        """Tell what this one has counted, whether it is time to or not."""
        if not isinstance(resident.engine, Metered):
            return
        try:
            stats = resident.engine.meter.take(resident.ref)
        except Exception:  # an engine that cannot count can still answer
            log.exception("What `%s` has counted cannot be read", resident.ref.id)
            return
        if stats is not None:
            self._tell(stats)
