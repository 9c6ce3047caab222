"""What requests for pictures may say: one table per operation, one row per field.

Source of the fields: OpenAI's API reference, "Images"; `seed`, `negative_prompt`, `steps`, `guidance_scale`, `strength`
and `scheduler` are what servers of diffusion models add.
"""

from __future__ import annotations

import re
from typing import Any

from llamafarm_universal.messages import Blob
from llamafarm_universal.server.fields import (
    SEED_LIMIT,
    Advisory,
    Done,
    Refused,
    Table,
    any_text,
    boolean,
    choice,
    integer,
    number,
    text,
    wrong,
)

MAX_PICTURES = 10
MAX_PREVIEWS = 3
MAX_STEPS = 500
"""Half as many as models are trained with: schedulers reach behind the last one at times."""
_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")


def size(value: Any, path: str) -> tuple[int, int] | None:
    """`WIDTHxHEIGHT` in pixels; None for `auto`, which is the model's own."""
    if value == "auto":
        return None
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        wrong(path, "`auto`, or a width and a height in pixels, such as `512x512`", value)
    return int(match[1]), int(match[2])


_PICTURES: Table = {
    "model": Done(text, required=True),
    "n": Done(integer(1, MAX_PICTURES)),
    "size": Done(size, note="`auto`, or WIDTHxHEIGHT in the multiples that the model draws."),
    "seed": Done(integer(0, SEED_LIMIT - MAX_PICTURES), note="of the first picture; each further one has the next."),
    "steps": Done(integer(1, MAX_STEPS)),
    "guidance_scale": Done(number(0, 100)),
    "scheduler": Done(text, note="one that fits the model; an error lists them."),
    "response_format": Done(choice("b64_json", "url"), note="`url`: an address that lasts for an hour."),
    "output_format": Done(choice("png", "jpeg", "webp")),
    "output_compression": Done(integer(0, 100), note="the quality of a JPEG or WebP file, in percent."),
    "stream": Done(boolean),
    "user": Advisory(),
}
_DRAWN: Table = {
    "negative_prompt": Done(any_text),
    "quality": Refused("say `steps`.", inert=("auto", "standard")),
    "background": Refused("pictures are opaque here.", inert=("auto", "opaque")),
    "complexity": Refused("say `steps`."),
    "svg": Refused("pictures are drawn in pixels here."),
    "frame_count": Refused("pictures do not move here."),
    "frame_duration_ms": Refused("pictures do not move here."),
    "partial_images": Done(integer(0, MAX_PREVIEWS), note="unfinished pictures in a stream; each takes a decoding."),
}


def picture(value: Any, path: str) -> Blob:
    """A file of the form, whose content says what it is."""
    from llamafarm_universal.media.form import UploadedFile  # not above: clients read these tables, too

    if not isinstance(value, UploadedFile):
        wrong(path, "a file of the form", value)
    return value.blob


IMAGES: Table = {
    **_PICTURES,
    **_DRAWN,
    "prompt": Done(text, required=True),
    "style": Refused("say it in the prompt."),
    "moderation": Refused("nothing is moderated here.", inert=("auto", "low")),
}

_CHANGED: Table = {
    **_PICTURES,
    "image": Done(picture, required=True),
    "strength": Done(number(0, 1, above=True), note="how much is changed: 1 keeps nothing of the picture."),
}

IMAGE_EDITS: Table = {
    **_CHANGED,
    **_DRAWN,
    "prompt": Done(text, required=True),
    "mask": Done(picture, note="where it is transparent, or else white, the picture is changed."),
    "markup": Refused("say it in the prompt."),
    "input_fidelity": Refused("say `strength`."),
}

IMAGE_VARIATIONS: Table = {**_CHANGED}
