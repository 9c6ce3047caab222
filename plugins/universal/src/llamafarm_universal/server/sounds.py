"""POST /v1/audio/classify: recordings, sorted into the classes of a model.

Source of the shapes: Hugging Face's inference task "Audio Classification", whose items stand in rows with an `index`
here.
"""

from __future__ import annotations

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.messages import ClassifySounds, SoundClasses
from llamafarm_universal.server.encoding import answered
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.media import media_spooled


async def classify_sounds(request: Request, parsed: Parsed) -> Response:
    async with media_spooled(request, parsed.values["input"]) as (sounds, folder):
        assert folder is not None, "there is a sound at least"
        work = ClassifySounds(sounds, folder, parsed.get("top_n", 5))
        return await answered(request, parsed, work, _shaped)


def _shaped(recordings: tuple[SoundClasses, ...]) -> dict[str, Any]:
    seconds = sum(math.ceil(recording.duration) for recording in recordings)
    data = [{"index": index, **_row(recording)} for index, recording in enumerate(recordings)]
    return {"object": "list", "data": data, "usage": {"type": "duration", "seconds": seconds}}


def _row(recording: SoundClasses) -> dict[str, Any]:
    classes = [vars(label) for label in recording.labels]
    return {**classes[0], "classes": classes, "duration": recording.duration}
