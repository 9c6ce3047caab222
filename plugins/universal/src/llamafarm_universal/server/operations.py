"""POST /v1/operations/{operation}: what an engine has declared, and the runtime itself knows nothing of."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from llamafarm.web import EventStream, json_answer
from llamafarm.wire import sse
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.catalogue import work_of
from llamafarm_universal.failure import RequestFailed, explained
from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.messages import Accepted, Answer, Blob, Finished, Piece, Preview, Progress, Work
from llamafarm_universal.server.blobs import blob_answer
from llamafarm_universal.server.caller import caller_of
from llamafarm_universal.server.endpoint import is_trusted, runtime_of
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.models import error_frame
from llamafarm_universal.server.runtime import Ticket


async def operate(request: Request, parsed: Parsed, *, folder: SpoolFolder) -> Response:
    """Have the model do what its engine has declared. Raises LlamaFarmError and RequestFailed."""
    runtime = runtime_of(request)
    ref = runtime.handles.resolve(parsed.values["model"], trusted=is_trusted(request))
    work = await asyncio.to_thread(_work, request.path_params["operation"], parsed.values["input"])
    ticket = await runtime.submit(ref, (work,), caller_of(request), folder=folder)
    if parsed.get("stream"):
        return await _stream(ticket, work, runtime.settings.keep_alive_seconds)
    try:
        answers = await _whole(ticket, work)
    finally:
        ticket.close()
    if len(answers) == 1 and isinstance(blob := answers[0].get("value"), Blob):
        return blob_answer(blob)
    return json_answer(await asyncio.to_thread(as_json, {"model": runtime.handles.label(ref), "answers": answers}))


def as_json(value: Any) -> bytes:
    """A value of an engine as JSON: dataclasses are objects, bytes are base64, and so is what a blob holds.

    Raises TypeError and ValueError for what JSON cannot say.
    """
    return json.dumps(value, default=_plain, allow_nan=False, ensure_ascii=False).encode()


async def _stream(ticket: Ticket, work: Work, keep_alive: float) -> EventStream:
    """A stream from the first event on: what is refused at once is a status."""
    try:
        first = await ticket.events.next()
    except BaseException:
        ticket.close()
        raise
    frames = _frames(ticket, work, first)
    return EventStream(frames, close=ticket.close, keep_alive=keep_alive, error_frame=error_frame)


async def _frames(ticket: Ticket, work: Work, event: Answer) -> AsyncGenerator[bytes, None]:
    left = work.answers
    while True:
        left -= event.is_last
        if not isinstance(event, Accepted):
            yield await asyncio.to_thread(_frame, event)
        if not left:
            return
        event = await ticket.events.next()


def _frame(event: Answer) -> bytes:
    """In a thread: it may hold a picture."""
    match event:
        case Progress(_, index, done, total):
            return sse.encode({"index": index, "done": done, "total": total}, event="progress")
        case Preview(_, index, number, value):
            return b"event: preview\ndata: " + as_json({"index": index, "number": number, "value": value}) + b"\n\n"
        case Piece(_, index, text, channel):
            return sse.encode({"index": index, "text": text, "channel": channel}, event="piece")
        case Finished():
            return b"event: finished\ndata: " + as_json(_ended(event)) + b"\n\n"
    raise AssertionError(event)


async def _whole(ticket: Ticket, work: Work) -> list[dict[str, Any]]:
    """Each answer when it has ended, in the order of their indexes."""
    texts: dict[int, str] = {}
    answers: dict[int, dict[str, Any]] = {}
    while len(answers) < work.answers:
        event = await ticket.events.next()
        if isinstance(event, Piece):
            texts[event.index] = texts.get(event.index, "") + event.text
        elif isinstance(event, Finished):
            text = {"text": texts[event.index]} if event.index in texts else {}
            answers[event.index] = {**_ended(event), **text}
    return [answers[index] for index in sorted(answers)]


def _ended(event: Finished) -> dict[str, Any]:
    usage = asdict(event.usage)
    value = {} if event.value is None else {"value": event.value}
    return {"index": event.index, "reason": event.reason, **({"usage": usage} if any(usage.values()) else {}), **value}


def _work(operation: str, fields: Mapping[str, Any]) -> Work:
    """In a thread: an engine's own reading of a request, whose mistakes are no crash of the server."""
    try:
        return work_of(operation, fields)
    except RequestFailed:
        raise
    except Exception as error:
        raise explained(error, f"reading a request for `{operation}`") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Blob):
        content = b64encode(value.read()).decode()
        return {"media_type": value.media_type, "size": value.size, "data": content}
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {name: part for name, part in vars(value).items() if not name.startswith("_")}
    raise TypeError(f"a {type(value).__name__} cannot be said in JSON")
