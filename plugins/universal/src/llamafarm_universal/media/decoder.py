"""Pictures, sounds and films decoded, within limits, in processes that may be killed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.media.formats import HEAD_BYTES, Format, Kind, format_of, names_of
from llamafarm_universal.media.jobs import FilmJob, Job, PictureJob, SoundJob
from llamafarm_universal.media.pool import WorkerPool
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.messages import Blob

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Mode = Literal["RGB", "RGBA", "L"]


@dataclass(frozen=True)
class Picture:
    """A decoded picture: one byte a channel, in a file of the spool. format: what it was, such as `PNG`."""

    format: str
    width: int
    height: int
    frames: int
    mode: Mode
    path: Path

    def array(self) -> NDArray[np.uint8]:
        """Its pixels, of shape (frames, height, width, channels), read from the file as they are used."""
        import numpy as np

        shape = (self.frames, self.height, self.width, len(self.mode))
        return np.memmap(self.path, dtype=np.uint8, mode="r", shape=shape)


@dataclass(frozen=True)
class Sound:
    """A decoded sound: 32-bit floats from -1 to 1, in a file of the spool. format: what it was, such as `MP3`."""

    format: str
    sample_rate: int
    channels: int
    samples: int
    path: Path

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate

    def array(self) -> NDArray[np.float32]:
        """Its samples, of shape (samples, channels), read from the file as they are used."""
        import numpy as np

        return np.memmap(self.path, dtype=np.float32, mode="r", shape=(self.samples, self.channels))


class Decoder:
    """Decodes. Thread-safe; calls block, and end within the time limit of the settings."""

    def __init__(self, settings: MediaSettings | None = None) -> None:
        self._settings = settings or MediaSettings()
        self._pool = WorkerPool(self._settings.decoders, self._settings.decode_seconds, self._settings.decode_bytes)

    def picture(
        self, blob: Blob, folder: SpoolFolder, *, mode: Mode = "RGB", frames: int = 1, param: str | None = None
    ) -> Picture:
        """The picture in `blob`, upright as its EXIF data say, in a new file of `folder`.

        mode: for `RGB` and `L`, what is transparent becomes white. frames: how many are wanted at most; an animated
        picture is refused where that is one. Raises RequestFailed, naming `param`, for what is no picture, broken, or
        larger than the settings allow.
        """
        path, found = _opened(blob, folder, "picture", param)
        into = folder.new_path()
        frames = min(frames, self._settings.frames)
        job = PictureJob(str(path), str(into), found.reader, mode, self._settings.pixels, frames, folder.room())
        done = self._do(job, param)
        return Picture(found.name, done["width"], done["height"], done["frames"], mode, into)

    def sound(
        self,
        blob: Blob,
        folder: SpoolFolder,
        *,
        sample_rate: int = 16_000,
        channels: Literal[1, 2] = 1,
        param: str | None = None,
    ) -> Sound:
        """The sound in `blob`, converted, in a new file of `folder`; of a film, its first track of sound.

        Raises RequestFailed, naming `param`, for what is no sound, broken, or longer than the settings allow.
        """
        path, found = _opened(blob, folder, "sound", param)
        into, limits = folder.new_path(), self._settings
        job = SoundJob(
            str(path), str(into), found.reader, sample_rate, channels,
            limits.seconds, limits.channels, limits.sample_rate, folder.room(),
        )  # fmt: skip
        done = self._do(job, param)
        return Sound(found.name, sample_rate, channels, done["samples"], into)

    def film(self, blob: Blob, folder: SpoolFolder, *, param: str | None = None) -> Picture:
        """The film in `blob`, as pictures in a new file of `folder`: evenly over its time, upright, without its sound.

        There are as many as the settings say, or all where it has fewer; they are smaller than the film's where they
        would have too many pixels together. Raises RequestFailed, naming `param`, for what is no film, broken, or
        longer or larger than the settings allow.
        """
        path, found = _opened(blob, folder, "film", param)
        into, limits = folder.new_path(), self._settings
        job = FilmJob(
            str(path), str(into), found.reader,
            limits.film_frames, limits.pixels, limits.film_seconds, folder.room(),
        )  # fmt: skip
        done = self._do(job, param)
        return Picture(found.name, done["width"], done["height"], done["frames"], "RGB", into)

    def close(self) -> None:
        """End the processes."""
        with _sharing:
            if _shared.get(self._settings) is self:
                del _shared[self._settings]
        self._pool.close()

    def _do(self, job: Job, param: str | None) -> dict[str, int]:
        try:
            return self._pool.do(job)
        except RequestFailed as failed:
            Path(job.into).unlink(missing_ok=True)
            failed.param = param
            raise


_sharing = threading.Lock()
_shared: dict[MediaSettings, Decoder] = {}


@cache
def decoder_of(settings: MediaSettings) -> Decoder:
    """The decoder of this process for these settings: all engines share it, and its processes end with this one."""
    with _sharing:  # threads that ask at once would each get one of their own: `cache` calls a function for each
        if settings not in _shared:
            _shared[settings] = Decoder(settings)
        return _shared[settings]


def _opened(blob: Blob, folder: SpoolFolder, kind: Kind, param: str | None) -> tuple[Path, Format]:
    """The file of a blob, and its format, once that is known to be of the kind that is wanted."""
    if not blob.size:
        raise refused(f"The {kind} is empty: it has no bytes.", param)
    head = _head(blob)
    found = format_of(head)
    if found is None or not found.can_be(kind):
        what = f"a {found.kind} ({found.name})" if found else "in no format that is known"
        raise refused(
            f"The file is no {kind}: it is {what}.", param, hint=f"{names_of(kind)} are decoded, whatever their name."
        )
    return folder.path_of(blob), found


def _head(blob: Blob) -> bytes:
    if blob.data is not None:
        return blob.data[:HEAD_BYTES]
    assert blob.path is not None
    with blob.path.open("rb") as file:
        return file.read(HEAD_BYTES)
