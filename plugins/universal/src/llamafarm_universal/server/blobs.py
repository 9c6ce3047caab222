"""Blobs on their way to the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import BinaryIO

from llamafarm.web import PassingAnswer
from starlette.responses import Response

from llamafarm_universal.messages import Blob

PIECE_BYTES = 256 * 1024


def blob_answer(blob: Blob, headers: Mapping[str, str] | None = None) -> Response:
    """The answer whose body is `blob`; a file is read in pieces, beside the event loop, as the client takes them."""
    if blob.data is not None:
        return Response(blob.data, headers=headers, media_type=blob.media_type)
    assert blob.path is not None
    return PassingAnswer(_opened(blob.path), blob.media_type, close=lambda: None, headers=headers)


def file_answer(file: BinaryIO, media_type: str, headers: Mapping[str, str]) -> Response:
    """The answer whose body is an open file, which is closed with it, and may have been deleted meanwhile."""
    return PassingAnswer(_pieces(file), media_type, close=file.close, headers=headers)


async def _opened(path: Path) -> AsyncGenerator[bytes, None]:
    with await asyncio.to_thread(path.open, "rb") as file:
        async for piece in _pieces(file):
            yield piece


async def _pieces(file: BinaryIO) -> AsyncGenerator[bytes, None]:
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield piece
