"""What the server and its children run from: a server whose files were removed can start nothing any more."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import llamafarm_universal
from llamafarm_universal.media.threads import in_thread

CHECK_SECONDS = 1.0
GONE_SECONDS = 5.0
"""An installer that puts another version in the place of this one takes less."""


class Installation:
    """The files of this very process. missing: what of them is gone, as was last seen."""

    def __init__(self) -> None:
        self.missing: Path | None = None
        self._files = [Path(file) for file in (llamafarm_universal.__file__, sys.executable) if file]

    async def wait_gone(self) -> None:
        """Return once it has been gone for GONE_SECONDS."""
        gone = 0.0
        while gone < GONE_SECONDS:
            await asyncio.sleep(CHECK_SECONDS)
            self.missing = await in_thread(_first_missing, self._files)
            gone = gone + CHECK_SECONDS if self.missing else 0.0


def _first_missing(files: Sequence[Path]) -> Path | None:
    return next((file for file in files if not file.exists()), None)
