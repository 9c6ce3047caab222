"""Blobs on their way to the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

from llamafarm.web import PassingAnswer
from starlette.responses import Response

from llamafarm_universal.messages import Blob

PIECE_BYTES = 256 * 1024


def blob_answer(blob: Blob, headers: Mapping[str, str] | None = None) -> Response:
    """The answer whose body is `blob`; a file is read in pieces, beside the event loop, as the client takes them."""
    if blob.data is not None:
        return Response(blob.data, headers=headers, media_type=blob.media_type)
    assert blob.path is not None
    return PassingAnswer(_pieces(blob.path), blob.media_type, close=lambda: None, headers=headers)


async def _pieces(path: Path) -> AsyncGenerator[bytes, None]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
    finally:
        file.close()
