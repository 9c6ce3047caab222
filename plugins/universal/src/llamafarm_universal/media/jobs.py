"""What is asked of a decoder's process, and what it answers: JSON on one line each.

JSON, and no pickle: the process reads what strangers have sent, and its answers are read as a stranger's.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from llamafarm_universal.failure import RequestFailed

MAX_LINE_BYTES = 64 * 1024


@dataclass(frozen=True)
class PictureJob:
    """Decode the picture in file `path` into the new file `into`, as rows of pixels, frame after frame.

    mode: `RGB`, `RGBA` or `L`, one byte for each channel. pixels, frames: what it may have at most. room: bytes that
    may be written.
    """

    path: str
    into: str
    format: str
    mode: str
    pixels: int
    frames: int
    room: int


@dataclass(frozen=True)
class SoundJob:
    """Decode the sound in file `path` into the new file `into`, as 32-bit floats of this machine, -1 to 1.

    sample_rate, channels: what it is converted to. seconds, most_channels, most_rate: what it may have at most.
    """

    path: str
    into: str
    format: str
    sample_rate: int
    channels: int
    seconds: int
    most_channels: int
    most_rate: int
    room: int


@dataclass(frozen=True)
class FilmJob:
    """Decode pictures of the film in file `path` into the new file `into`, as rows of RGB pixels, one after the other.

    frames: how many are wanted. pixels: of a picture of the film, and of all those that are written. seconds: how long
    it may be.
    """

    path: str
    into: str
    format: str
    frames: int
    pixels: int
    seconds: int
    room: int


Job = PictureJob | SoundJob | FilmJob
_JOBS: dict[str, type[Job]] = {"picture": PictureJob, "sound": SoundJob, "film": FilmJob}


class Refused(Exception):
    """The file is not decoded. kind: `invalid_request` or `too_large`."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        kind: Literal["invalid_request", "too_large"] = "invalid_request",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kind = kind


def dump_job(job: Job) -> bytes:
    name = next(name for name, each in _JOBS.items() if isinstance(job, each))
    return json.dumps({name: asdict(job)}).encode() + b"\n"


def read_job(line: bytes) -> Job:
    [(name, fields)] = json.loads(line).items()
    return _JOBS[name](**fields)


def dump_answer(answer: dict[str, int] | Refused) -> bytes:
    """A line for what a job has brought: the measures of what was decoded, or why it was not."""
    if isinstance(answer, Refused):
        value: dict[str, Any] = {"refused": [answer.kind, answer.message, answer.hint]}
    else:
        value = {"done": answer}
    return json.dumps(value).encode() + b"\n"


def read_answer(line: bytes) -> dict[str, int]:
    """The measures of what was decoded. Raises RequestFailed where it was refused, or the answer is none of ours."""
    try:
        value = json.loads(line)
        if "refused" in value:
            kind, message, hint = value["refused"]
            raise RequestFailed("too_large" if kind == "too_large" else "invalid_request", str(message), hint=hint)
        return {str(name): int(number) for name, number in value["done"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RequestFailed("internal", "The decoder of the file gave no sensible answer.") from None
