"""Server-sent events, as the OpenAI wire uses them.

Source: WHATWG HTML, "Server-sent events". An event ends at an empty line, whatever ends its lines (LF, CR, CRLF, also
mixed); `data:` lines are joined; comments and events without data are skipped. Beyond the specification, a `data:` line
that is complete JSON, or `[DONE]`, ends its event where another field follows at once: some servers leave the empty
line out.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from llamafarm.wire.body import dump

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
MAX_EVENT_BYTES = 16 * 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EMPTY_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_DATA_THEN_FIELD = re.compile(rb"(?:^|[\r\n])data:([^\r\n]*)(?:\r\n|\n|\r)(?=(?:data|event|id):)")


@dataclass(frozen=True)
class Event:
    """One event. `name` is the `event:` field, empty where there is none; `data` is its text."""

    data: str
    name: str = ""

    def object(self) -> dict[str, Any] | None:
        """The JSON object that the data is; None where it is none."""
        try:
            value = json.loads(self.data)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


class EventTooLarge(ValueError):
    """The stream holds an event that is larger than MAX_EVENT_BYTES: the sender is broken or hostile."""


def encode(value: Any, *, event: str = "") -> bytes:
    """Return `value` as one event whose data is JSON."""
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + dump(value) + b"\n\n"


async def split(
    pieces: AsyncIterable[bytes], *, limit: int = MAX_EVENT_BYTES, broken: Callable[[str], Exception] = EventTooLarge
) -> AsyncIterator[bytes]:
    """Cut a byte stream into whole frames, each with its final empty line; comment frames are kept.

    Pieces may be cut anywhere. A byte order mark at the beginning and empty lines between frames are left out. What
    follows the last frame is yielded as it is. Raises what `broken`, such as `Answer.broken`, makes of an event that is
    too large.
    """
    buffer = bytearray()
    begun = False
    async for piece in pieces:
        if not buffer and _is_one_frame(piece):
            begun = True
            yield piece
            continue
        searched = max(0, len(buffer) - 3)
        buffer += piece
        if not begun and len(buffer) >= len(BYTE_ORDER_MARK):
            begun = True
            if buffer.startswith(BYTE_ORDER_MARK):
                del buffer[: len(BYTE_ORDER_MARK)]
        for frame in _cut_frames(buffer, searched):
            yield frame
        if len(buffer) > limit:
            raise broken(f"holds an event that is larger than {limit} bytes")
    if buffer:
        yield bytes(buffer)


def parse(frame: bytes) -> Event | None:
    """Return the event in one whole frame; None for comments and frames whose data is empty or blank.

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
    text = "\n".join(data)
    return Event(text, name) if text.strip() else None


async def events(
    pieces: AsyncIterable[bytes], *, broken: Callable[[str], Exception] = EventTooLarge
) -> AsyncIterator[Event]:
    """The events of a byte stream, in order; comments are left out. broken: as of `split`."""
    async for frame in split(pieces, broken=broken):
        event = parse(frame)
        if event is not None:
            yield event


def _is_one_frame(piece: bytes) -> bool:
    """Whether a piece is a frame of one line, as nearly all are that arrive by themselves."""
    return (
        piece.startswith(b"data:")
        and piece.endswith(b"\n\n")
        and piece.find(b"\n") == len(piece) - 2
        and b"\r" not in piece
    )


def _cut_frames(buffer: bytearray, searched: int) -> Iterator[bytes]:
    """Take the whole frames out of the buffer. searched: how much of it is known to hold no end of a frame."""
    while buffer:
        while buffer.startswith((b"\n", b"\r")):
            del buffer[:1]
        end = _end_of_event(buffer, searched)
        inner = _end_of_unseparated(buffer, len(buffer) if end is None else end)
        if inner is not None:
            yield bytes(buffer[:inner]) + b"\n"
            end = inner
        elif end is not None:
            yield bytes(buffer[:end])
        else:
            return
        del buffer[:end]
        searched = 0


def _end_of_event(buffer: bytearray, start: int) -> int | None:
    """Where the first empty line ends; None where there is none yet."""
    if b"\r" not in buffer:  # nearly always
        end = buffer.find(b"\n\n", start)
        return None if end < 0 else end + 2
    found = _EMPTY_LINE.search(buffer, start)
    return found.end() if found else None


def _end_of_unseparated(buffer: bytearray, bound: int) -> int | None:
    """Where an event ends that another follows without an empty line; None where the first event has its own end."""
    if buffer.find(b"\ndata:", 0, bound) < 0 and buffer.find(b"\r", 0, bound) < 0:  # nearly always
        return None
    found = _DATA_THEN_FIELD.search(buffer, 0, bound)
    return found.end() if found and _is_complete(found[1].strip()) else None


def _is_complete(data: bytes) -> bool:
    if data == b"[DONE]":
        return True
    try:
        return data[:1] == b"{" and data[-1:] == b"}" and isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False
