"""Lines of JSON, as Ollama streams them: one object a line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from llamafarm.http import Answer

MAX_LINE_BYTES = 16 * 1024 * 1024
SHOWN = 200


async def lines(answer: Answer) -> AsyncIterator[dict[str, Any]]:
    """The objects of an answer, in order; pieces may be cut anywhere, and the last line needs no end.

    Raises ProviderError where the answer breaks off or a line is no JSON object.
    """
    buffer = bytearray()
    searched = 0
    async for piece in answer:
        buffer += piece
        while (end := buffer.find(b"\n", searched)) >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            searched = 0
            if line.strip():
                yield _parsed(line, answer)
        searched = len(buffer)
        if searched > MAX_LINE_BYTES:
            raise answer.broken(f"holds a line of more than {MAX_LINE_BYTES} bytes")
    if buffer.strip():
        yield _parsed(bytes(buffer), answer)


def _parsed(line: bytes, answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        said = line[:SHOWN].decode("utf-8", "replace").strip()
        kind = answer.content_type or "no content type"
        raise answer.broken(f"holds a line that is not a JSON object ({kind}): {said}")
    return found
