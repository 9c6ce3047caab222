"""Transcripts on their way to the server: they may be long, so that they travel as JSON in a blob."""

from __future__ import annotations

import json
from dataclasses import asdict

from llamafarm_universal.engine import Blob
from llamafarm_universal.messages.work.audio import Transcript


def told(transcript: Transcript) -> Blob:
    """A transcript as the value of its work."""
    content = json.dumps(asdict(transcript), ensure_ascii=False).encode()
    return Blob("application/json", len(content), content)
