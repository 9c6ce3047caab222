"""What runs in the processes that the test kills: one ingestion of a project."""

from __future__ import annotations

import asyncio
from pathlib import Path

import llamafarm
from workplace import Workplace


def ingest(folder: Path) -> None:
    """Process the dataset of the project in `folder`, whose database nobody else holds."""
    asyncio.run(_ingest(folder))


async def _ingest(folder: Path) -> None:
    place = Workplace(folder)
    async with llamafarm.open(folder, environ=place.environ) as farm, place.opened(farm):
        await place.process()
