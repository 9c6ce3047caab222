"""Transcripts on their way to the server: they may be long, so that they travel as JSON in a blob."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from llamafarm_universal.engine import Blob
from llamafarm_universal.messages.work.audio import Segment, Transcript, Word

PAUSE = 0.6
"""Seconds between two words that end a segment."""
LONGEST = 8.0
"""Seconds that a segment may take."""


def told(transcript: Transcript) -> Blob:
    """A transcript as the value of its work."""
    content = json.dumps(asdict(transcript), ensure_ascii=False).encode()
    return Blob("application/json", len(content), content)


def grouped(words: Sequence[Word]) -> tuple[Segment, ...]:
    """Words as segments that can be read as subtitles: a pause ends one, or its length."""
    groups: list[list[Word]] = []
    for word in words:
        last = groups[-1] if groups else None
        if last and word.start - last[-1].end < PAUSE and word.end - last[0].start <= LONGEST:
            last.append(word)
        else:
            groups.append([word])
    return tuple(Segment(group[0].start, group[-1].end, " ".join(word.word for word in group)) for group in groups)
