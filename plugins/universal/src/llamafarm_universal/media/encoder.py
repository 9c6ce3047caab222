"""`python -m llamafarm_universal.media.encoder FORMAT RATE`: writes sound in a format as its samples come.

Standard input has 16-bit little-endian samples of one channel, standard output gets the file. PyAV is imported here and
where sounds are decoded, and nowhere else.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, BinaryIO

from llamafarm_universal.media.sound_formats import SOUND_FORMATS

PIECE_SAMPLES = 8192


class _Pipe:
    """Where the file goes: FFmpeg does not go back in what cannot."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, piece: bytes) -> int:
        written = self._file.write(piece)
        self._file.flush()
        return written


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the runtime decides what it means
    name, rate = sys.argv[1], int(sys.argv[2])
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no part of the file
    encode(name, rate, sys.stdin.buffer, output)
    output.close()


def encode(name: str, rate: int, samples: BinaryIO, output: BinaryIO) -> None:
    """Read all samples, and write them in the format of that name. rate: of the samples."""
    import av

    av.logging.set_level(av.logging.PANIC)
    form = SOUND_FORMATS[name]
    with av.open(_Pipe(output), "w", format=form.container) as container:
        stream: Any = container.add_stream(form.codec, rate=form.rate(rate), layout="mono")
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=form.rate(rate), frame_size=stream.frame_size
        )
        while piece := samples.read(PIECE_SAMPLES * 2):
            for frame in resampler.resample(_frame(piece, rate)):
                container.mux(stream.encode(frame))
        for frame in resampler.resample(None):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frame(piece: bytes, rate: int) -> Any:
    import av

    frame = av.AudioFrame(format="s16", layout="mono", samples=len(piece) // 2)
    frame.sample_rate = rate
    frame.planes[0].update(piece.ljust(frame.planes[0].buffer_size, b"\0"))
    return frame


if __name__ == "__main__":
    main()
