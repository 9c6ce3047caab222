"""Files in requests, and what travels as a form instead of JSON."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Upload:
    """A file of a request. name: the client's name of it, of which runtimes read the extension. media_type: as the
    client says it."""

    name: str
    content: bytes = field(repr=False)
    media_type: str = "application/octet-stream"
