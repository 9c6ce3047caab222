"""POST /v1/audio/transcriptions and /v1/audio/translations: recordings, written down.

Source of the shapes: OpenAI's API reference, "Create transcription" and "Create translation".
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from llamafarm.errors import RequestError
from llamafarm.web import EventStream, json_answer
from llamafarm.wire import sse
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from llamafarm_universal.messages import Accepted, Finished, Piece, Transcribe, Translate
from llamafarm_universal.messages.work.audio import TEMPERATURES
from llamafarm_universal.server.caller import caller_of
from llamafarm_universal.server.endpoint import ignored_header, is_trusted, runtime_of
from llamafarm_universal.server.fields import Parsed, Table
from llamafarm_universal.server.form_fields import parse_form
from llamafarm_universal.server.models import error_frame
from llamafarm_universal.server.runtime import Ticket
from llamafarm_universal.server.subtitles import srt, vtt
from llamafarm_universal.server.tables.audio import TRANSCRIPTION, TRANSLATION
from llamafarm_universal.server.upload import Upload

STREAMED = ("json", "text")
"""The formats that can grow."""


async def transcribe(request: Request, upload: Upload) -> Response:
    return await _answered(request, upload, Transcribe, TRANSCRIPTION)


async def translate(request: Request, upload: Upload) -> Response:
    return await _answered(request, upload, Translate, TRANSLATION)


async def _answered(request: Request, upload: Upload, kind: type[Transcribe], table: Table) -> Response:
    parsed = parse_form(upload.parts, table)
    _check(parsed)
    runtime, name = runtime_of(request), parsed.values["model"]
    ref = runtime.handles.resolve(name, trusted=is_trusted(request))
    work = _work(parsed, upload, kind)
    ticket = await runtime.submit(ref, (work,), caller_of(request), folder=upload.folder)
    if parsed.get("stream"):
        return await _stream(ticket, runtime.settings.keep_alive_seconds, ignored_header(parsed))
    try:
        while not isinstance(event := await ticket.events.next(), Finished):
            pass
    finally:
        ticket.close()
    transcript = await asyncio.to_thread(_read, event)
    return _shaped(transcript, parsed, "translate" if kind is Translate else "transcribe")


def _check(parsed: Parsed) -> None:
    """Raise RequestError for fields that do not go together."""
    form = parsed.get("response_format", "json")
    if parsed.get("timestamp_granularities") and form != "verbose_json":
        raise RequestError(
            f"Only 'verbose_json' tells times as fields, and not {form!r}.",
            hint="Leave 'timestamp_granularities' out, or ask for 'verbose_json'.",
            param="timestamp_granularities",
            code="invalid_value",
        )
    if parsed.get("stream") and form not in STREAMED:
        raise RequestError(
            f"A transcription in the format {form!r} cannot be streamed: it is whole or nothing.",
            hint=f"These can: {', '.join(STREAMED)}.",
            param="stream",
            code="invalid_value",
        )


def _work(parsed: Parsed, upload: Upload, kind: type[Transcribe]) -> Transcribe:
    """Temperature 0, which is the default, is where attempts begin; another one is the only one that is tried."""
    temperature = parsed.get("temperature", 0.0)
    return kind(
        parsed.values["file"].blob,
        upload.folder,
        language=parsed.get("language"),
        prompt=parsed.get("prompt", ""),
        temperatures=(temperature,) if temperature else TEMPERATURES,
        words="word" in parsed.get("timestamp_granularities", ()),
    )


def _read(event: Finished) -> dict[str, Any]:
    """In a thread: a long transcript lies in the spool."""
    transcript: dict[str, Any] = json.loads(event.value.read())
    return transcript


def _shaped(transcript: Mapping[str, Any], parsed: Parsed, task: str) -> Response:
    form, headers = parsed.get("response_format", "json"), ignored_header(parsed)
    if form == "text":
        return PlainTextResponse(transcript["text"] + "\n", headers=headers)
    if form in ("srt", "vtt"):
        content = srt(transcript["segments"]) if form == "srt" else vtt(transcript["segments"])
        media_type = "application/x-subrip" if form == "srt" else "text/vtt"
        return PlainTextResponse(content, headers=headers, media_type=media_type)
    if form == "json":
        return json_answer({"text": transcript["text"], "usage": _usage(transcript)}, headers=headers)
    wanted = parsed.get("timestamp_granularities", ("segment",))
    segments = [_segment(number, each) for number, each in enumerate(transcript["segments"])]
    whole = {
        "task": task,
        "language": transcript["language"],
        "duration": transcript["duration"],
        "text": transcript["text"],
        **({"segments": segments} if "segment" in wanted else {}),
        **({"words": transcript["words"]} if "word" in wanted else {}),
        "usage": _usage(transcript),
    }
    return json_answer(whole, headers=headers)


def _segment(number: int, segment: Mapping[str, Any]) -> dict[str, Any]:
    """`seek`: hundredths of a second, as OpenAI counts the frames of a recording."""
    return {"id": number, "seek": round(segment["start"] * 100), **segment}


def _usage(transcript: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript["duration"])}


async def _stream(ticket: Ticket, keep_alive: float, headers: Mapping[str, str]) -> EventStream:
    """A stream once the recording has been decoded: what is refused at once is a status."""
    try:
        first = await ticket.events.next()
    except BaseException:
        ticket.close()
        raise
    assert isinstance(first, Accepted)
    frames = _frames(ticket)
    return EventStream(frames, close=ticket.close, keep_alive=keep_alive, headers=headers, error_frame=error_frame)


async def _frames(ticket: Ticket) -> AsyncGenerator[bytes, None]:
    while True:
        event = await ticket.events.next()
        if isinstance(event, Piece):
            yield sse.encode({"type": "transcript.text.delta", "delta": event.text})
        elif isinstance(event, Finished):
            transcript = await asyncio.to_thread(_read, event)
            done = {"type": "transcript.text.done", "text": transcript["text"], "usage": _usage(transcript)}
            yield sse.encode(done)
            return
