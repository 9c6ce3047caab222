"""From pictures to rows: decoded within the operator's limits, and made by the model's own image processor."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llamafarm_universal.engine import Blob, LoadPlan, MediaSettings, RequestFailed, SpoolFolder, decoder_of, refused
from llamafarm_universal.host.engines.encode.rows import Pixels, Row, Stored

MAX_RATIO = 200
"""So many times may a picture be longer than wide: image processors make the short side as long as the model wants."""


PATCH = 16
"""Pixels of a patch's side, where a configuration does not say them."""


class ProcessedPictures:
    """Used by several threads at once. processor: an image processor of transformers. patch: pixels of its side."""

    def __init__(self, processor: Any, patch: int, media: MediaSettings) -> None:
        self.processor = processor
        self._patch = patch
        self._media = media

    @classmethod
    def of(cls, plan: LoadPlan, config: Any, **changes: Any) -> ProcessedPictures:
        """With the image processor that lies beside a model. config: of the model. changes: of its author's settings.

        Raises OSError, ValueError.
        """
        from transformers import AutoImageProcessor

        # Pillow's, with which such models were trained; the other kind needs torchvision.
        processor = AutoImageProcessor.from_pretrained(
            plan.folder,
            backend="pil",
            local_files_only=True,
            trust_remote_code=plan.ref.settings.trust_remote_code,
            **changes,
        )
        half = getattr(config, "vision_config", None) or getattr(config, "encoder", None) or config
        patch = getattr(half, "patch_size", None)
        return cls(processor, patch if isinstance(patch, int) else PATCH, plan.limits.media)

    def rows(self, pictures: Sequence[Blob], numbers: Sequence[int], folder: SpoolFolder, *, field: str) -> list[Row]:
        """A row for each picture; equal ones share theirs. numbers: what they are called where one is wrong.

        Raises RequestFailed for one that is no picture, broken or too large, and where all take too long.
        """
        end = monotonic() + self._media.decode_seconds
        known: dict[bytes, Row] = {}
        digests = [_digest(picture) for picture in pictures]
        for number, picture, digest in zip(numbers, pictures, digests, strict=True):
            if digest not in known:
                if monotonic() > end:
                    raise _too_slow(self._media.decode_seconds, field)
                known[digest] = Row(pixels=self._read(picture, digest, number, folder, field))
        return [known[digest] for digest in digests]

    def sample(self) -> Row:
        """A row of a small grey picture."""
        grey = np.full((64, 64, 3), 127, np.uint8)
        return Row(pixels=self._pixels(grey, b"", lambda data, kind: Blob(kind, len(data), data)))

    def _read(self, picture: Blob, digest: bytes, number: int, folder: SpoolFolder, field: str) -> Pixels:
        try:
            decoded = decoder_of(self._media).picture(picture, folder)
            try:
                check_ratio(decoded.width, decoded.height)
                return self._pixels(decoded.array()[0], digest, folder.keep)
            finally:
                with suppress(OSError):  # it goes with the request at the latest
                    decoded.path.unlink()
        except RequestFailed as failed:
            named = f"Input {number}: {failed.message}"
            raise RequestFailed(failed.kind, named, hint=failed.hint, param=field) from None

    def _pixels(self, picture: NDArray[np.uint8], digest: bytes, keep: Callable[[bytes, str], Blob]) -> Pixels:
        """picture: (height, width, 3). keep: where its arrays go until they are read."""
        made: Mapping[str, NDArray[Any]] = self.processor(
            images=picture, input_data_format="channels_last", return_tensors="np"
        )
        arrays = {
            name: Stored(array.shape[1:], str(array.dtype), keep(array.tobytes(), "application/octet-stream"))
            for name, array in made.items()
            if name != "task_inputs"  # OneFormer's says again in words what it was told
        }
        height, width, _ = picture.shape
        return Pixels(digest, self._patches(arrays["pixel_values"].shape), (height, width), arrays)

    def _patches(self, shape: tuple[int, ...]) -> int:
        """Of pixels (channels, height, width), or of patches that have been cut already (patches, numbers)."""
        if len(shape) == 2:
            return shape[0]
        return max(1, (shape[-2] // self._patch) * (shape[-1] // self._patch))


def _digest(picture: Blob) -> bytes:
    if picture.data is not None:
        return hashlib.sha256(picture.data).digest()
    assert picture.path is not None
    with picture.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def check_ratio(width: int, height: int) -> None:
    """Raises RequestFailed for a picture that image processors would make too large."""
    if max(width, height) > MAX_RATIO * min(width, height):
        raise refused(
            f"The picture is {width:,} x {height:,} pixels: one side is more than {MAX_RATIO} times the other.",
            hint="Cut it into parts.",
        )


def _too_slow(seconds: float, field: str) -> RequestFailed:
    message = f"The pictures of this request take longer to decode than the {seconds:g} seconds that they may."
    return RequestFailed("too_large", message, hint="Send fewer at once, or smaller ones.", param=field)
