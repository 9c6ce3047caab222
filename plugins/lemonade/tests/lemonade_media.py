"""What a Lemonade server answers for pictures, sound and rerank, none of it recorded: its documents say it.

Source: Lemonade's documents (11), "OpenAI-Compatible API" (`/v1/images/*`, `/v1/audio/*`) and "llama.cpp-Specific API"
(`/v1/rerank`). Of a form the server reads the fields that it knows, and ignores the others.
"""

from __future__ import annotations

from email.parser import BytesParser
from typing import Any

from llamafarm_kit.testing import Asked

PICTURE = "aGVsbG8="
SOUND = bytes(range(256))
SOUND_HEAD = {"content-type": "audio/mpeg", "content-length": str(len(SOUND))}


def form_of(asked: Asked) -> dict[str, Any] | None:
    """The fields of a form, texts as texts and files as (name, bytes); None for any other body."""
    kind = asked.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        return None
    parsed = BytesParser().parsebytes(f"content-type: {kind}\r\n\r\n".encode() + asked.content)
    found: dict[str, Any] = {}
    for part in parsed.get_payload():
        name = str(part.get_param("name", header="content-disposition"))
        content, file = part.get_payload(decode=True), part.get_filename()
        found[name] = content.decode() if file is None else (file, content)
    return found


def ranked(body: Any) -> dict[str, Any]:
    """One result for each document, in the order of the request, whatever `top_n` says; here the last one fits best."""
    results = [{"index": at, "relevance_score": float(at)} for at in range(len(body["documents"]))]
    usage = {"prompt_tokens": 57, "total_tokens": 57}
    return {"model": body["model"], "object": "list", "results": results, "usage": usage}


def pictures(body: Any) -> tuple[int, dict[str, Any]]:
    """As many pictures as a form asks for, from one to ten, as base64."""
    count = int(body.get("n", 1))
    if not 1 <= count <= 10:
        return 400, {"error": {"message": "'n' must be from 1 to 10", "type": "invalid_request_error"}}
    return 200, {"created": 1742927481, "data": [{"b64_json": PICTURE}] * count}


def heard(body: Any, text: str) -> Any:
    """The text of a file; of an empty one an error inside a 200, as the sources have it."""
    if not body["file"][1]:
        words = "Transcription failed: Empty audio data"
        return {"error": {"message": words, "type": "audio_processing_error"}}
    return {"text": text}
