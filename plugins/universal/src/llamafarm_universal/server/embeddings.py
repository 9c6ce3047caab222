"""POST /v1/embeddings, and how many tokens texts have to a model."""

from __future__ import annotations

import array
import base64
import sys
from typing import Any

from llamafarm.web import json_answer
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.messages import CountTexts, Embed
from llamafarm_universal.server.encoding import answered, finished
from llamafarm_universal.server.endpoint import ignored_header, is_trusted, runtime_of
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.media import media_spooled


async def embed(request: Request, parsed: Parsed) -> Response:
    written = as_base64 if parsed.get("encoding_format") == "base64" else as_floats

    def shape(vectors: tuple[bytes, ...]) -> dict[str, Any]:
        rows = enumerate(map(written, vectors))
        data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in rows]
        return {"object": "list", "data": data}

    async with media_spooled(request, parsed.values["input"]) as (inputs, folder):
        work = Embed(inputs, parsed.get("dimensions"), parsed.get("input_type"), folder)
        return await answered(request, parsed, work, shape)


async def count_texts(request: Request, parsed: Parsed) -> Response:
    """POST /v1/embeddings/input_tokens: the tokens of each text; special ones and the author's prompts are left out.

    A line of its own: it waits for no vectors.
    """
    ref = runtime_of(request).handles.resolve(parsed.values["model"], trusted=is_trusted(request))
    event = await finished(request, ref, CountTexts(parsed.values["input"]))
    counted = {"object": "embedding.input_tokens", "input_tokens": list(event.value)}
    return json_answer(counted, headers=ignored_header(parsed))


def as_base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode("ascii")


def as_floats(vector: bytes) -> list[float]:
    """The numbers of little-endian float32 bytes."""
    numbers = array.array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
