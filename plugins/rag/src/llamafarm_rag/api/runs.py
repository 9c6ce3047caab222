"""An ingestion that is asked for over HTTP: its report at the end, or a stream of how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from llamafarm.web import EventStream, json_answer
from llamafarm.wire import sse

from llamafarm_rag.ingestion.progress import IngestionProgress, Listener
from llamafarm_rag.ingestion.report import Report

if TYPE_CHECKING:
    from starlette.responses import Response

Run = Callable[[Listener], Awaitable[Sequence[Report]]]
EVERY_SECONDS = 0.25
"""How often a stream tells how far it is."""


async def run_answer(run: Run, *, stream: bool) -> Response:
    """The reports of a run. stream: as events, `{"progress": …}` while it goes on and `{"reports": […]}` at its end."""
    if stream:
        frames = _frames(run)
        return EventStream(frames, close=frames.aclose)
    return json_answer(_told(await run(lambda _: None)))


def _told(reports: Sequence[Report]) -> dict[str, Any]:
    return {"object": "list", "data": [report.as_json() for report in reports]}


async def _frames(run: Run) -> AsyncGenerator[bytes, None]:
    """The events. Whoever closes them cancels the run, which leaves the files done that were done."""
    last: list[IngestionProgress] = []
    task = asyncio.ensure_future(run(lambda progress: last.__setitem__(slice(None), [progress])))
    try:
        while not task.done():
            await asyncio.wait([task], timeout=EVERY_SECONDS)
            if last and not task.done():
                yield sse.encode({"progress": last.pop().as_json()})
        yield sse.encode({"reports": _told(task.result())["data"]})
        yield sse.DONE
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
