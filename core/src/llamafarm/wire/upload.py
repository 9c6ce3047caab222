"""Files in requests, and what travels as a form instead of JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MediaInput = str | dict[str, Any] | list[str | dict[str, Any]]
"""Files in JSON, one or several: a data URL, base64 or an address, as it is or in an object that says what it is."""


@dataclass(frozen=True)
class Upload:
    """A file of a request. name: the client's name of it, of which runtimes read the extension. media_type: as the
    client says it."""

    name: str
    content: bytes = field(repr=False)
    media_type: str = "application/octet-stream"
