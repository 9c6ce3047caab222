"""Pictures and recordings that go with a question, as parts of its message."""

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
    """What is asked: text, files and what is piped, as one text; pictures and recordings stand before it as parts."""
    files = list(files)
    media = [part(file) for file in files if is_medium(file.name)]
    asked = question(text, tuple(file for file in files if not is_medium(file.name)))
    if not media:
        return asked
    return [*media, *([{"type": "text", "text": asked}] if asked.strip() else [])]


def is_medium(name: str) -> bool:
    """Whether a file is a picture or a recording, as its name says."""
    return _type_of(name).startswith(("image/", "audio/"))


def part(file: Path) -> dict[str, Any]:
    """A file as a part of a message. Raises OSError for one that cannot be read."""
    coded = base64.b64encode(file.read_bytes()).decode()
    media_type = _type_of(file.name)
    if media_type.startswith("audio/"):
        return {"type": "input_audio", "input_audio": {"data": coded, "format": file.suffix[1:].lower()}}
    return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{coded}"}}


def text_of(content: Content) -> str:
    """What can be shown of a message: its texts."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _type_of(name: str) -> str:
    return mimetypes.guess_type(name)[0] or ""
