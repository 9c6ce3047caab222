"""Downloading a model: the events of `POST /v1/pull`.

Source: Lemonade's documents (11), "POST /v1/pull"; of a pull only the refusal without network was ever seen. What has
come stays on the server's disk, so that one that was cut off goes on where it was. The server downloads for as long as
it is listened to: closing the connection ends it.
"""

from __future__ import annotations

import json
from typing import Any

from llamafarm import Call, Progress
from llamafarm.http import Answer, HttpUpstream
from llamafarm.wire import read_error, sse

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
        async for event in sse.events(answer, broken=answer.broken):
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
    """What an event tells; its bytes are those of the one file that it names."""
    file = said.get("file")
    name = file if isinstance(file, str) and file else None
    done, total = _count(said, "bytes_downloaded", 0), _count(said, "bytes_total", 1)
    place, count = _count(said, "file_index", 1), _count(said, "total_files", 1)
    return Progress("downloading", f"Downloading {model}", done, total, name, place, count)


def _count(said: dict[str, Any], name: str, least: int) -> int | None:
    found = said.get(name)
    return found if type(found) is int and found >= least else None
