"""Server-sent events, as the OpenAI wire uses them.

Source: WHATWG HTML, "Server-sent events". An event ends at an empty line; `data:` lines are joined; comments are
skipped.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any

from llamafarm.wire.body import dump

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
MAX_EVENT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Event:
    """One event. `name` is the `event:` field, empty where there is none; `data` is its text."""

    data: str
    name: str = ""


class EventTooLarge(ValueError):
    """One event is larger than MAX_EVENT_BYTES: the sender is broken or hostile."""


def encode(value: Any, *, event: str = "") -> bytes:
    """Return `value` as one event whose data is JSON."""
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + dump(value) + b"\n\n"


async def split(pieces: AsyncIterable[bytes], *, limit: int = MAX_EVENT_BYTES) -> AsyncIterator[bytes]:
    """Cut a byte stream into whole frames, each with its final empty line; comment frames are kept.

    Line ends may be LF, CRLF or CR, pieces may be cut anywhere. What follows the last empty line is yielded as it is.
    Raises EventTooLarge.
    """
    buffer = bytearray()
    async for piece in pieces:
        searched = max(0, len(buffer) - 3)
        buffer += piece
        while (end := _frame_end(buffer, searched)) is not None:
            yield bytes(buffer[:end])
            del buffer[:end]
            searched = 0
        if len(buffer) > limit:
            raise EventTooLarge(f"one event is larger than {limit} bytes")
    if buffer:
        yield bytes(buffer)


def parse(frame: bytes) -> Event | None:
    """Return the event in one whole frame; None for comments and frames without data.

    Bytes that are not UTF-8 become U+FFFD, as the specification says.
    """
    data: list[str] = []
    name = ""
    for line in frame.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
    return Event("\n".join(data), name) if data else None


async def events(pieces: AsyncIterable[bytes]) -> AsyncIterator[Event]:
    """The events of a byte stream, in order; comments are left out."""
    async for frame in split(pieces):
        event = parse(frame)
        if event is not None:
            yield event


def _frame_end(buffer: bytearray, start: int) -> int | None:
    end = buffer.find(b"\n\n", start)
    if buffer.find(b"\r", start, end if end >= 0 else len(buffer)) < 0:  # nearly always
        return end + 2 if end >= 0 else None
    ends = [at + len(mark) for mark in (b"\n\n", b"\r\n\r\n", b"\r\r") if (at := buffer.find(mark, start)) >= 0]
    return min(ends) if ends else None
