"""Pictures, recordings and films that go with a question, as parts of its message."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llamafarm.cli.question import question

Content = str | list[dict[str, Any]]
"""Of a message: a text, or parts."""


def content(text: str, files: Iterable[Path]) -> Content:
    """What is asked: text, files and what is piped, as one text; media stand before it as parts."""
    files = list(files)
    media = [part(file) for file in files if is_medium(file.name)]
    asked = question(text, tuple(file for file in files if not is_medium(file.name)))
    if not media:
        return asked
    return [*media, *([{"type": "text", "text": asked}] if asked.strip() else [])]


def is_medium(name: str) -> bool:
    """Whether a file is a picture, a recording or a film, as its name says."""
    return _type_of(name).startswith(("image/", "audio/", "video/"))


def part(file: Path) -> dict[str, Any]:
    """A file as a part of a message. Raises OSError for one that cannot be read."""
    coded = base64.b64encode(file.read_bytes()).decode()
    media_type = _type_of(file.name)
    if media_type.startswith("audio/"):
        return {"type": "input_audio", "input_audio": {"data": coded, "format": file.suffix[1:].lower()}}
    return at_address(file.name, f"data:{media_type};base64,{coded}")


def at_address(name: str, url: str) -> dict[str, Any]:
    """A film or a picture, as its name says, at an address. Source of `video_url`: vLLM's API."""
    kind = "video_url" if is_film(name) else "image_url"
    return {"type": kind, kind: {"url": url}}


def is_film(name: str) -> bool:
    """Whether a file is a film, as its name says."""
    return _type_of(name).startswith("video/")


def text_of(content: Content) -> str:
    """What can be shown of a message: its texts."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _type_of(name: str) -> str:
    """Of a file, or of what is at an address, whatever is asked of it there."""
    return mimetypes.guess_type(name.partition("?")[0] if "://" in name else name)[0] or ""
