"""The pictures, sounds and films of a prompt, decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from llamafarm_universal.engine import Blob, MediaSettings, Picture, RequestFailed, SpoolFolder, decoder_of, refused
from llamafarm_universal.host.engines.encode.pictures import check_ratio
from llamafarm_universal.message_parts import NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Decoded = Image | NDArray[np.float32]

MAX_FRAMES = 128
"""In one request with films: as many as one may have pictures."""
SEEN_AS = {"video": "image"}
"""What is read as several of another kind."""


class MediaDecoder:
    """rate: samples of a second of sounds, as the model takes them."""

    def __init__(self, settings: MediaSettings, rate: int) -> None:
        self._settings = settings
        self._decoder = decoder_of(settings)
        self._rate = rate

    def check_films(self, kinds: Sequence[str], *, takes_several: bool) -> None:
        """Raises RequestFailed, before anything is decoded, for films that a model does not take, and too many.

        takes_several: whether it takes several pictures.
        """
        films = kinds.count("video")
        if films and not takes_several:
            raise RequestFailed(
                "unsupported_content",
                "This model takes no films: it looks at a single picture, and a film is read as several.",
                hint="Send one picture of it, or use a model that holds conversations about pictures.",
                param="messages",
            )
        frames = self._settings.film_frames
        if films and len(kinds) - films + films * frames > MAX_FRAMES:
            raise refused(
                f"Films are read as {frames} pictures each, and a request has {MAX_FRAMES} pictures at most.",
                "messages",
                hint="Send fewer films or pictures at once.",
            )

    def decoded(
        self, blobs: Sequence[Blob], kinds: Sequence[str], folder: SpoolFolder | None
    ) -> Iterator[list[Decoded]]:
        """Of each file what the model is given: one, and of a film its pictures."""
        end = monotonic() + self._settings.decode_seconds
        for number, (blob, kind) in enumerate(zip(blobs, kinds, strict=True), 1):
            assert folder is not None, "the files of media lie in a folder"
            if monotonic() > end:
                raise _too_slow(self._settings.decode_seconds)
            try:
                yield self._medium(kind, blob, folder)
            except RequestFailed as failed:
                named = f"{NAMES[kind].capitalize()} {number}: {failed.message}" if len(blobs) > 1 else failed.message
                raise RequestFailed(failed.kind, named, hint=failed.hint, param="messages") from None

    def _medium(self, kind: str, blob: Blob, folder: SpoolFolder) -> list[Decoded]:
        match kind:
            case "image":
                return [*_pictures(self._decoder.picture(blob, folder))]
            case "video":
                return [*_pictures(self._decoder.film(blob, folder))]
        return [self._sound(blob, folder)]

    def _sound(self, blob: Blob, folder: SpoolFolder) -> NDArray[np.float32]:
        decoded = self._decoder.sound(blob, folder, sample_rate=self._rate)
        try:
            return np.array(decoded.array()[:, 0])
        finally:
            with suppress(OSError):
                decoded.path.unlink()


def _pictures(decoded: Picture) -> list[Image]:
    """The decoded pictures of a file, which is deleted."""
    from PIL import Image

    try:
        check_ratio(decoded.width, decoded.height)
        return [Image.fromarray(np.array(frame)) for frame in decoded.array()]
    finally:
        with suppress(OSError):  # it goes with the request at the latest
            decoded.path.unlink()


def _too_slow(seconds: float) -> RequestFailed:
    message = (
        f"The pictures, sounds and films of this request take longer to decode than the {seconds:g} seconds they may."
    )
    return RequestFailed("too_large", message, hint="Send fewer at once, or smaller ones.", param="messages")
