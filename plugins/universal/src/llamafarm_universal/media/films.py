"""Decoding pictures of a film, in a process that may be killed: evenly over its time, whatever its head says.

All packets are read first, which costs hardly more than reading the file: their times say how long the film is, which
of its pictures are wanted, and from where each can be decoded. Then no more is decoded than these need.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from llamafarm_universal.media.containers import opened
from llamafarm_universal.media.jobs import FilmJob, Refused
from llamafarm_universal.media.settings import MAX_FILM_SECONDS, MAX_PIXELS

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

CODECS = ("h264", "hevc", "vp8", "libvpx", "vp9", "libvpx-vp9", "av1", "libdav1d", "mpeg4", "mjpeg")
"""FFmpeg's names of what films in MP4 and WebM files are coded with."""
MAX_PACKETS = 1_000_000
"""More pictures than four hours have at 60 a second."""
CUT_SECONDS = 0.5
"""How much earlier than its head promises a film may end."""


def decode_film(job: FilmJob) -> dict[str, int]:
    """Returns width, height and frames. Raises Refused."""
    with opened(job.path, job.format, CODECS, "film") as container:
        return _decode(container, job)


def _decode(container: InputContainer, job: FilmJob) -> dict[str, int]:
    stream = next((stream for stream in container.streams.video if not _is_cover(stream)), None)
    if stream is None:
        raise Refused("The file holds no pictures: it is a sound.", hint="Send it as `input_audio`.")
    if stream.codec_context.name not in CODECS:
        raise Refused("The film is coded in a way that is not decoded.", hint="Send it as H.264 in an MP4 file.")
    _check_size(stream.width, stream.height, job)
    times = _Times.of(container, stream, job)
    with Path(job.into).open("wb") as file:
        return _Frames(job, file).write(_wanted(container, stream, times, job.frames))


def _is_cover(stream: VideoStream) -> bool:
    """Whether it is the picture on the cover of a recording."""
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def _check_size(width: int, height: int, job: FilmJob) -> None:
    if not (width > 0 and height > 0):
        raise Refused("The film has no pixels.")
    if width * height > job.pixels:
        raise Refused(
            f"The film is {width:,} x {height:,} pixels; at most {job.pixels:,} are decoded.",
            hint=f"Send a smaller one, or have the operator of the server raise {MAX_PIXELS}.",
            kind="too_large",
        )


@dataclass(frozen=True)
class _Times:
    """Of the pictures of a film, in ticks of its stream. shown: when each begins, in their order. end: of the last one.

    keys: of those that are decoded without others, when each begins, and from where it is read.
    """

    shown: Sequence[int]
    end: int
    keys: Sequence[tuple[int, int]]

    @classmethod
    def of(cls, container: InputContainer, stream: VideoStream, job: FilmJob) -> _Times:
        """Raises Refused for a film that is empty, too long, or shorter than its head promises."""
        tick = stream.time_base
        if not tick:
            raise Refused("The film does not say when its pictures are shown.")
        most = job.seconds / tick
        shown: list[int] = []
        keys: list[tuple[int, int]] = []
        first, end = 0, 0
        for packet in container.demux(stream):
            if packet.pts is None or not packet.size or packet.is_discard:
                continue
            begins, ends = packet.pts, packet.pts + max(packet.duration or 0, 1)
            first, end = (min(first, begins), max(end, ends)) if shown else (begins, ends)
            if end - first > most or len(shown) == MAX_PACKETS:
                raise _too_long(job)
            shown.append(packet.pts)
            if packet.is_keyframe:
                keys.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
        if not shown:
            raise Refused("The film is empty: it has no pictures.")
        _check_end(container, stream, float(max(end, end - first) * tick))
        return cls(sorted(shown), end, sorted(keys))

    def evenly(self, count: int) -> list[int]:
        """What is shown in the middle of each of so many equal parts of the film; each picture once.

        How long the last one is shown, hardly any film says: as long as the others on average, at least.
        """
        begin, last, others = self.shown[0], self.shown[-1], len(self.shown) - 1
        length = max(self.end, last + (last - begin) // max(others, 1)) - begin
        moments = [begin + length * (2 * part + 1) // (2 * count) for part in range(count)]
        return sorted({self.shown[bisect_right(self.shown, moment) - 1] for moment in moments})

    def key_before(self, time: int) -> tuple[int, int]:
        """The last picture until then that is decoded without others: when it begins, and from where it is read."""
        place = bisect_right(self.keys, (time, self.end)) - 1
        return self.keys[place] if place >= 0 else (self.shown[0], self.shown[0])


def _check_end(container: InputContainer, stream: VideoStream, seconds: float) -> None:
    """Raises Refused for a film that ends at that second, where its head promises more."""
    promised = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
    if not promised and not container.streams.audio:  # a sound may go on when the pictures have ended
        promised = (container.duration or 0) / 1_000_000
    if seconds < promised - max(CUT_SECONDS, promised / 20):
        raise Refused(f"The film breaks off after {seconds:.1f} of {promised:.1f} seconds.")


def _wanted(container: InputContainer, stream: VideoStream, times: _Times, count: int) -> Iterator[VideoFrame]:
    """The pictures that are wanted: for each the first one that is not shown before it."""
    decoded: Iterator[VideoFrame] = iter(())
    at: int | None = None
    for time in times.evenly(count):
        if at is not None and at >= time:
            continue
        key, place = times.key_before(time)
        if at is None or key > at:
            container.seek(place, stream=stream)
            decoded = container.decode(stream)
        for frame in decoded:
            if frame.pts is not None and frame.pts >= time:
                at = frame.pts
                yield frame
                break
        else:
            raise Refused("The film is broken, or breaks off: not all of its pictures can be decoded.")


class _Frames:
    """Writes pictures into a file, all of the size of the first one."""

    def __init__(self, job: FilmJob, file: BinaryIO) -> None:
        self._job = job
        self._file = file
        self._size: tuple[int, int] | None = None

    def write(self, frames: Iterator[VideoFrame]) -> dict[str, int]:
        count = 0
        height = width = 0
        for count, frame in enumerate(frames, 1):
            pixels = self._pixels(frame)
            if count > 1 and pixels.shape[:2] != (height, width):
                raise Refused("The film is turned on its way: its pictures are of different sizes.")
            height, width = pixels.shape[:2]
            if self._file.tell() + pixels.nbytes > self._job.room:
                raise Refused("The server has no room for the pictures of the film.", hint="Send a smaller one.",
                              kind="too_large")  # fmt: skip
            self._file.write(pixels.tobytes())
        return {"width": width, "height": height, "frames": count}

    def _pixels(self, frame: VideoFrame) -> NDArray[Any]:
        """A picture as it is meant to be seen: turned as the film says. [height, width, channels]"""
        import numpy as np

        _check_size(frame.width, frame.height, self._job)
        self._size = self._size or self._fitting(frame.width, frame.height)
        width, height = self._size
        pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
        return np.rot90(pixels, round(frame.rotation / 90))

    def _fitting(self, width: int, height: int) -> tuple[int, int]:
        """The size of a picture of which so many as are wanted have no more pixels than they may."""
        scale = min(1.0, (self._job.pixels / (width * height * self._job.frames)) ** 0.5)
        return max(1, int(width * scale)), max(1, int(height * scale))


def _too_long(job: FilmJob) -> Refused:
    return Refused(
        f"The film is longer than {job.seconds:,} seconds, or has more than {MAX_PACKETS:,} pictures.",
        hint=f"Send a part of it, or have the operator of the server raise {MAX_FILM_SECONDS}.",
        kind="too_large",
    )
