"""What an operator allows of pictures, sounds and films: how large, how long, how many at once, and from where."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from llamafarm import data_dir
from llamafarm.errors import ConfigError

from llamafarm_universal.media.formats import Kind

SPOOL = "UNIVERSAL_RUNTIME_SPOOL"
MAX_SOUND = "UNIVERSAL_RUNTIME_MAX_SOUND_MB"
MAX_PICTURE = "UNIVERSAL_RUNTIME_MAX_PICTURE_MB"
MAX_PIXELS = "UNIVERSAL_RUNTIME_MAX_PIXELS"
MAX_FRAMES = "UNIVERSAL_RUNTIME_MAX_FRAMES"
MAX_FILM = "UNIVERSAL_RUNTIME_MAX_FILM_MB"
MAX_FILM_SECONDS = "UNIVERSAL_RUNTIME_MAX_FILM_SECONDS"
FILM_FRAMES = "UNIVERSAL_RUNTIME_FILM_FRAMES"
MAX_SECONDS = "UNIVERSAL_RUNTIME_MAX_SOUND_SECONDS"
DECODE_SECONDS = "UNIVERSAL_RUNTIME_DECODE_SECONDS"
DECODE_MB = "UNIVERSAL_RUNTIME_DECODE_MB"
DECODERS = "UNIVERSAL_RUNTIME_DECODERS"
SPOOL_REQUEST = "UNIVERSAL_RUNTIME_SPOOL_REQUEST_MB"
SPOOL_TOTAL = "UNIVERSAL_RUNTIME_SPOOL_MB"
ALLOW_URLS = "UNIVERSAL_RUNTIME_ALLOW_URLS"
_MB = 2**20
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _limit(default: int, variable: str, unit: int = 1) -> Any:
    """A number that `variable` of the environment replaces, in `unit`s."""
    return field(default=default, metadata={"variable": variable, "unit": unit})


@dataclass(frozen=True)
class MediaSettings:
    """The limits of one server.

    sound_bytes, picture_bytes, film_bytes: of one uploaded or fetched file. pixels: of all frames of a picture
    together, and of those that are taken of a film. seconds, channels, sample_rate: of a sound. film_seconds: of a
    film. film_frames: how many pictures are taken of a film. decode_seconds, decode_bytes: what decoding one file may
    take of time and memory. decoders: how many are decoded at once. spool: where the spools of servers lie.
    request_bytes, spool_bytes: what may lie in one of them, for one request and in all. allow_urls: whether the server
    fetches URLs. url_seconds, redirects: of fetching one file.
    """

    sound_bytes: int = _limit(25 * _MB, MAX_SOUND, _MB)
    picture_bytes: int = _limit(20 * _MB, MAX_PICTURE, _MB)
    film_bytes: int = _limit(20 * _MB, MAX_FILM, _MB)
    pixels: int = _limit(64_000_000, MAX_PIXELS)
    frames: int = _limit(64, MAX_FRAMES)
    seconds: int = _limit(7200, MAX_SECONDS)
    film_seconds: int = _limit(3600, MAX_FILM_SECONDS)
    film_frames: int = _limit(8, FILM_FRAMES)
    channels: int = 8
    sample_rate: int = 192_000
    decode_seconds: int = _limit(30, DECODE_SECONDS)
    decode_bytes: int = _limit(2048 * _MB, DECODE_MB, _MB)
    decoders: int = _limit(2, DECODERS)
    spool: Path = field(default_factory=lambda: data_dir(os.environ) / "spool")
    request_bytes: int = _limit(1024 * _MB, SPOOL_REQUEST, _MB)
    spool_bytes: int = _limit(8192 * _MB, SPOOL_TOTAL, _MB)
    allow_urls: bool = False
    url_seconds: float = 20.0
    redirects: int = 3

    def file_bytes(self, kind: Kind) -> int:
        """What one file may have."""
        return {"picture": self.picture_bytes, "sound": self.sound_bytes, "film": self.film_bytes}[kind]


def variable_of(kind: Kind) -> str:
    """With which the operator raises `file_bytes`."""
    return {"picture": MAX_PICTURE, "sound": MAX_SOUND, "film": MAX_FILM}[kind]


def read_media_settings(environ: Mapping[str, str]) -> MediaSettings:
    """The limits that the environment gives. Raises ConfigError for a value that makes no sense."""
    values: dict[str, Any] = {
        limit.name: _whole(environ[variable], variable) * limit.metadata["unit"]
        for limit in fields(MediaSettings)
        if environ.get(variable := limit.metadata.get("variable", ""))
    }
    chosen = environ.get(SPOOL)
    values["spool"] = Path(chosen).expanduser().absolute() if chosen else data_dir(environ) / "spool"
    values["allow_urls"] = _flag(environ, ALLOW_URLS)
    return MediaSettings(**values)


def _whole(text: str, variable: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:19]) > 0 and len(text) < 19):
        raise ConfigError(f"{variable} must be a whole number above 0, not {text[:40]!r}.")
    return int(text)


def _flag(environ: Mapping[str, str], variable: str) -> bool:
    text = environ.get(variable) or "0"
    try:
        return _FLAGS[text.lower()]
    except KeyError:
        raise ConfigError(f"{variable} must be 1 or 0, not {text[:40]!r}.") from None
