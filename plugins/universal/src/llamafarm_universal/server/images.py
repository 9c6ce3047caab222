"""POST /v1/images/generations, /edits and /variations: pictures as one answer, or with the steps as they are done."""

from __future__ import annotations

import asyncio
import secrets
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from llamafarm.errors import RequestError
from llamafarm.web import EventStream, json_answer
from llamafarm.wire import dump, sse
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.messages import (
    Accepted,
    Answer,
    Blob,
    DrawImage,
    Drawing,
    EditImage,
    Finished,
    Preview,
    Progress,
    VaryImage,
    Work,
)
from llamafarm_universal.server.blobs import file_answer
from llamafarm_universal.server.caller import caller_of
from llamafarm_universal.server.endpoint import ignored_header, is_trusted, runtime_of
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.form_fields import parse_form
from llamafarm_universal.server.kept_files import KeptFiles, checked_url, expired
from llamafarm_universal.server.runtime import Ticket
from llamafarm_universal.server.tables.images import IMAGE_EDITS, IMAGE_VARIATIONS
from llamafarm_universal.server.upload import Upload

FILES_URL_HEADER = "X-LF-Files-URL"
"""Below which address a client reaches the files that this server keeps."""
_SEEDS = 2**32


async def generate(request: Request, parsed: Parsed, *, folder: SpoolFolder) -> Response:
    """Draw what a text says. folder: where large pictures lie until the answer has been sent."""
    drawing = drawing_of(parsed)
    work = DrawImage(parsed.values["prompt"], parsed.get("n", 1), drawing)
    return await drawn(request, parsed, work, drawing, folder, event="image_generation")


async def edit(request: Request, upload: Upload) -> Response:
    """Change a picture as a text says, where a mask says."""
    parsed = parse_form(upload.parts, IMAGE_EDITS)
    drawing = drawing_of(parsed)
    given = {name: parsed.get(name) for name in ("prompt", "image", "mask", "strength")}
    work = EditImage(**given, n=parsed.get("n", 1), drawing=drawing, folder=upload.folder)
    return await drawn(request, parsed, work, drawing, upload.folder, event="image_edit")


async def vary(request: Request, upload: Upload) -> Response:
    """Draw pictures like a given one."""
    parsed = parse_form(upload.parts, IMAGE_VARIATIONS)
    drawing = drawing_of(parsed)
    given = {name: parsed.get(name) for name in ("image", "strength")}
    work = VaryImage(**given, n=parsed.get("n", 1), drawing=drawing, folder=upload.folder)
    return await drawn(request, parsed, work, drawing, upload.folder, event="image_variation")


async def fetch(request: Request) -> Response:
    """A picture whose address was asked for."""
    files = runtime_of(request).files
    blob = files.find(request.path_params["name"])
    assert blob.path is not None, "what is kept is a file"
    try:
        file = await asyncio.to_thread(blob.path.open, "rb")
    except FileNotFoundError:  # its time was over just now
        raise expired(files.seconds) from None
    return file_answer(file, blob.media_type, {"cache-control": "private", "x-content-type-options": "nosniff"})


def drawing_of(parsed: Parsed) -> Drawing:
    """How the pictures are to be drawn. Where the request names no seed, it gets one."""
    width, height = parsed.get("size") or (None, None)
    return Drawing(
        width=width,
        height=height,
        negative_prompt=parsed.get("negative_prompt"),
        steps=parsed.get("steps"),
        guidance_scale=parsed.get("guidance_scale"),
        scheduler=parsed.get("scheduler"),
        seed=parsed.values["seed"] if "seed" in parsed.values else secrets.randbelow(_SEEDS),
        format=parsed.get("output_format", "png"),
        quality=parsed.get("output_compression"),
        previews=_previews(parsed),
    )


def _previews(parsed: Parsed) -> int:
    """How many unfinished pictures are shown of each. Raises RequestError where nobody would see them."""
    count: int = parsed.get("partial_images", 0)
    if count and not parsed.get("stream"):
        message = "Only a stream can show unfinished pictures."
        raise RequestError(message, hint="Add `stream: true`.", param="partial_images", code="invalid_value")
    return count


async def drawn(
    request: Request, parsed: Parsed, work: Work, drawing: Drawing, folder: SpoolFolder, *, event: str
) -> Response:
    """Have the model draw, and answer with the pictures. event: how the names of a stream's events begin.

    Raises LlamaFarmError.
    """
    runtime = runtime_of(request)
    ref = runtime.handles.resolve(parsed.values["model"], trusted=is_trusted(request))
    ticket = await runtime.submit(ref, (work,), caller_of(request), folder=folder)
    at = _files_url(request) if parsed.get("response_format") == "url" else None
    pictures = _Pictures(drawing, event, runtime.files, at)
    if parsed.get("stream"):
        return await _stream(ticket, work, pictures, runtime.settings.keep_alive_seconds, ignored_header(parsed))
    blobs: dict[int, Blob] = {}
    try:
        while len(blobs) < work.answers:
            told = await ticket.events.next()
            if isinstance(told, Finished):
                blobs[told.index] = told.value
    finally:
        ticket.close()
    return json_answer(await pictures.whole(blobs), headers=ignored_header(parsed))


async def _stream(
    ticket: Ticket, work: Work, pictures: _Pictures, keep_alive: float, headers: dict[str, str]
) -> EventStream:
    """A stream from the first event on: what is refused at once is a status."""
    try:
        first = await ticket.events.next()
    except BaseException:
        ticket.close()
        raise
    frames = _frames(ticket, work.answers, pictures.frame, first)
    return EventStream(frames, close=ticket.close, keep_alive=keep_alive, headers=headers)


async def _frames(
    ticket: Ticket, left: int, written: Callable[[Answer], Awaitable[bytes]], event: Answer
) -> AsyncGenerator[bytes, None]:
    while True:
        left -= event.is_last
        if not isinstance(event, Accepted):
            yield await written(event)
        if not left:
            return
        event = await ticket.events.next()


@dataclass(frozen=True)
class _Pictures:
    """How pictures are told. at: the address below which those are that are kept in `files`; None: as base64."""

    drawing: Drawing
    event: str
    files: KeptFiles
    at: str | None

    async def whole(self, blobs: dict[int, Blob]) -> bytes:
        """All pictures, in one answer."""
        data = await self._rows(blobs)
        answer = {"created": int(time.time()), "data": data, "output_format": self.drawing.format}
        return await asyncio.to_thread(dump, answer)

    async def frame(self, event: Answer) -> bytes:
        """One event of a stream.

        Source of `completed` and `partial_image`: OpenAI's API reference, "Image Streaming"; `progress` is ours.
        """
        if isinstance(event, Progress):
            told = {"index": event.index, "done": event.done, "total": event.total}
            return self._told("progress", told)
        if isinstance(event, Preview):
            return await asyncio.to_thread(self._preview, event)
        assert isinstance(event, Finished)
        row = {"index": event.index, "created_at": int(time.time()), "output_format": self.drawing.format}
        [picture] = await self._rows({event.index: event.value})
        return await asyncio.to_thread(self._told, "completed", {**row, **picture})

    def _told(self, name: str, fields: dict[str, Any]) -> bytes:
        kind = f"{self.event}.{name}"
        return sse.encode({"type": kind, **fields}, event=kind)

    def _preview(self, event: Preview) -> bytes:
        told = {
            "index": event.index,
            "partial_image_index": event.number,
            "created_at": int(time.time()),
            "output_format": self.drawing.format,
            "b64_json": _base64(event.value),
        }
        return self._told("partial_image", told)

    async def _rows(self, blobs: dict[int, Blob]) -> list[dict[str, Any]]:
        """What is told of each picture. Base64 is made in a thread: pictures may be large."""
        indexes = sorted(blobs)
        places = [{"seed": self.drawing.seed + index} for index in indexes]
        if self.at is not None:
            names = await self.files.keep([blobs[index] for index in indexes])
            told = [{"url": f"{self.at}/{name}"} for name in names]
        else:
            told = await asyncio.to_thread(lambda: [{"b64_json": _base64(blobs[index])} for index in indexes])
        return [{**picture, **place} for picture, place in zip(told, places, strict=True)]


def _base64(blob: Blob) -> str:
    return b64encode(blob.read()).decode("ascii")


def _files_url(request: Request) -> str:
    """Where the client fetches what is kept: as LlamaFarm's API says, which asks for it, else from this server."""
    if told := request.headers.get(FILES_URL_HEADER):
        return checked_url(told, FILES_URL_HEADER)
    return checked_url(f"{request.base_url}v1/images/files", "Host")
