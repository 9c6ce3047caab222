"""Decoding a sound, in a process that may be killed. PyAV reads files in `containers`, and nowhere else.

PyAV, not soundfile: browsers record WebM and phones MP4 with AAC, which libsndfile does not read, and it brings the
resampler. FFmpeg reads many formats that open further files and addresses; only those of `formats` are let in, each by
its own reader and with the codecs that belong there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from llamafarm_universal.media.containers import opened
from llamafarm_universal.media.jobs import Refused, SoundJob
from llamafarm_universal.media.settings import MAX_SECONDS

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container.input import InputContainer

SAMPLE_BYTES = 4
CODECS = (
    "mp3", "mp3float", "mp2", "mp2float", "flac", "vorbis", "opus", "aac", "alac",
    "pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw",
)  # fmt: skip
PROMISING = ("wav", "flac", "mov", "matroska")
"""Readers whose heads say how long a sound is. For the others FFmpeg guesses, from the bit rate at the beginning."""
CUT_SECONDS = 0.5
"""How much earlier than its head promises a sound may end: encoders round, and cut silence off the ends."""
RIFF_HEAD_BYTES = 12
UNKNOWN_WAV_SIZE = 0x7FFF0000
"""Who writes a WAV into a pipe does not know its size, and writes the largest number that there is."""


def decode_sound(job: SoundJob) -> dict[str, int]:
    """Returns samples, of one channel, and original_rate and original_channels. Raises Refused."""
    if job.format == "wav":
        _check_wav(Path(job.path))
    with opened(job.path, job.format, CODECS, "sound") as container:
        return _decode(container, job)


def _check_wav(path: Path) -> None:
    """Refuse a WAV that is shorter than its head promises: FFmpeg takes what there is for all."""
    end = path.stat().st_size
    with path.open("rb") as file:
        file.seek(RIFF_HEAD_BYTES)
        while len(head := file.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                if end < file.tell() + size < UNKNOWN_WAV_SIZE:
                    raise Refused(f"The sound breaks off: {file.tell() + size - end:,} of its bytes are missing.")
                return
            file.seek(size + size % 2, os.SEEK_CUR)


def _decode(container: InputContainer, job: SoundJob) -> dict[str, int]:
    if not container.streams.audio:
        raise Refused("The file holds no sound.")
    stream = container.streams.audio[0]
    rate, channels = stream.sample_rate, stream.channels
    if stream.codec_context.name not in CODECS:
        raise Refused("The sound is coded in a way that is not decoded.")
    if not 0 < rate <= job.most_rate:
        raise Refused(f"The sound has {rate:,} samples a second; 1 to {job.most_rate:,} are decoded.")
    if not 0 < channels <= job.most_channels:
        raise Refused(f"The sound has {channels} channels; 1 to {job.most_channels} are decoded.")
    ends = _promised_end(container, stream, job)
    if ends - float((stream.start_time or 0) * (stream.time_base or 0)) > job.seconds:
        raise _too_long(job)
    with Path(job.into).open("wb") as file:
        ended, samples = _Conversion(job, file).run(container, stream)
    if not samples:
        raise Refused("The sound is empty.")
    if ended < ends - CUT_SECONDS:
        raise Refused(f"The sound breaks off after {ended:.1f} of {ends:.1f} seconds.")
    return {"samples": samples, "original_rate": rate, "original_channels": channels}


def _promised_end(container: InputContainer, stream: AudioStream, job: SoundJob) -> float:
    """At which second the sound ends, as the file's head says; 0 where it says nothing."""
    if job.format not in PROMISING:
        return 0.0
    if stream.duration is not None and stream.time_base is not None:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base)
    if container.streams.video or container.duration is None:  # a film may go on when its sound has ended
        return 0.0
    return container.duration / 1_000_000  # Matroska counts it from zero, also of a sound that begins later


class _Conversion:
    """Writes a sound into a file, as floats. Heads may lie, so its samples are counted."""

    def __init__(self, job: SoundJob, file: BinaryIO) -> None:
        from av.audio.resampler import AudioResampler

        layout = "mono" if job.channels == 1 else "stereo"
        self._job = job
        self._file = file
        self._samples = 0
        self._resampler = AudioResampler(format="flt", layout=layout, rate=job.sample_rate)

    def run(self, container: InputContainer, stream: AudioStream) -> tuple[float, int]:
        """Returns at which second the sound has ended, and how many samples of one channel were written."""
        ended = 0.0
        for frame in container.decode(stream):
            began = ended if frame.time is None else frame.time
            ended = max(ended, began + frame.samples / frame.sample_rate)
            self._write(frame)
        self._write(None)
        return ended, self._samples

    def _write(self, frame: AudioFrame | None) -> None:
        for part in self._resampler.resample(frame):
            self._samples += part.samples
            if self._samples > self._job.seconds * self._job.sample_rate:
                raise _too_long(self._job)
            size = part.samples * self._job.channels * SAMPLE_BYTES
            if self._file.tell() + size > self._job.room:
                raise Refused("The server has no room for the decoded sound.", hint="Send less.", kind="too_large")
            self._file.write(memoryview(part.planes[0])[:size])


def _too_long(job: SoundJob) -> Refused:
    return Refused(
        f"The sound is longer than {job.seconds:,} seconds.",
        hint=f"Send it in parts, or have the operator of the server raise {MAX_SECONDS}.",
        kind="too_large",
    )
