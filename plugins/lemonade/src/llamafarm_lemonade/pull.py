"""Downloading a model: the events of `POST /v1/pull`."""

from __future__ import annotations

import json
from typing import Any

from llamafarm.providers.answer import Answer
from llamafarm.providers.base import Call, Progress
from llamafarm.providers.http import HttpUpstream
from llamafarm.wire import sse
from llamafarm.wire.envelope import read_error

from llamafarm_lemonade.config import LemonadeEntry

SILENCE = 600.0
"""Seconds that the server may say nothing while it downloads: it checks and moves files at the end."""


def pull_body(entry: LemonadeEntry) -> dict[str, Any]:
    """What is asked: the name, and for a model with a name of one's own where it comes from and what executes it."""
    body: dict[str, Any] = {"model_name": entry.model, "stream": True}
    if entry.lemonade.checkpoint:
        body |= {"checkpoint": entry.lemonade.checkpoint, "recipe": entry.lemonade.recipe}
    return body


async def pull(upstream: HttpUpstream, entry: LemonadeEntry, call: Call) -> None:
    """Have the entry's model downloaded, passing on how far it is. Raises ProviderError."""
    async with await upstream.open_stream("/pull", pull_body(entry), call, between=SILENCE) as answer:
        if answer.content_type != "text/event-stream":
            body = await answer.json()
            if read_error(body):
                raise upstream.in_band(answer.url, body)
            return
        async for event in sse.events(answer):
            if _read(event, upstream, answer, entry, call):
                return
        raise answer.broken("broke off while the model was being downloaded")


def _read(event: sse.Event, upstream: HttpUpstream, answer: Answer, entry: LemonadeEntry, call: Call) -> bool:
    """Whether the event says that all is there; progress is passed on. Raises the error that it tells."""
    try:
        said = json.loads(event.data)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise answer.broken(f"holds an event that is not a JSON object: {event.data[:200]}")
    if event.name == "error" or read_error(said):
        raise upstream.in_band(answer.url, said)
    if event.name == "progress":
        call.progress(_progress(said, entry.model))
    return event.name == "complete"


def _progress(said: dict[str, Any], model: str) -> Progress:
    file, index, count = (said.get(name) for name in ("file", "file_index", "total_files"))
    which = f" (file {index} of {count})" if isinstance(index, int) and isinstance(count, int) and count > 1 else ""
    done, total = (said.get(name) if isinstance(said.get(name), int) else None for name in _BYTES)
    return Progress("downloading", f"Downloading {model}: {file or 'files'}{which}", done, total)


_BYTES = ("bytes_downloaded", "bytes_total")
