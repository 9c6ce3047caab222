"""Pictures and sounds, made by the libraries that are to read them."""

from __future__ import annotations

import io
import math
import struct
import wave
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import av
from llamafarm_universal.messages import Blob
from PIL import Image

RED, BLUE = (255, 0, 0), (0, 0, 255)
RATE = 16_000


def blob(content: bytes) -> Blob:
    return Blob("application/octet-stream", len(content), data=content)


def still(width: int = 4, height: int = 3) -> Image.Image:
    """Red, with one blue pixel at the upper left."""
    image = Image.new("RGB", (width, height), RED)
    image.putpixel((0, 0), BLUE)
    return image


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def picture(kind: str = "PNG", width: int = 4, height: int = 3, **options: Any) -> bytes:
    return saved(still(width, height), kind, **options)


def animation(frames: int, kind: str = "GIF") -> bytes:
    images = [Image.new("RGB", (4, 3), (index * 40, 0, 0)) for index in range(frames)]
    return saved(images[0], kind, save_all=True, append_images=images[1:])


def png_head(width: int, height: int) -> bytes:
    """A PNG that promises many pixels in a few bytes."""
    return _png(width, height, zlib.compress(b""))


def png_bomb(side: int) -> bytes:
    """A PNG whose pixels are all there: hundreds of times as many bytes as it has itself."""
    return _png(side, side, zlib.compress(bytes(side * (side * 3 + 1)), 1))


def _png(width: int, height: int, data: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (_chunk(b"IHDR", head), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def tone(seconds: float, rate: int = RATE) -> list[int]:
    """A 440 Hz tone at half of the full scale, in 16 bits."""
    return [int(16_383 * math.sin(2 * math.pi * 440 * at / rate)) for at in range(round(seconds * rate))]


@cache
def wav(seconds: float = 1.0, rate: int = RATE, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(_interleaved(tone(seconds, rate), channels))
    return file.getvalue()


def _interleaved(samples: Sequence[int], channels: int) -> bytes:
    return b"".join(struct.pack("<h", sample) * channels for sample in samples)


@cache
def coded(container: str, codec: str, seconds: float = 1.0, rate: int = 48_000, begins: float = 0.0) -> bytes:
    """The tone as a coder of FFmpeg writes it. begins: at which second, as of a recording that was cut."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        for packet in _packets(stream, seconds, rate, begins):
            output.mux(packet)
    return file.getvalue()


def _packets(stream: av.AudioStream, seconds: float, rate: int, begins: float = 0.0) -> Iterator[av.Packet]:
    frame = av.AudioFrame(format="s16", layout="mono", samples=round(seconds * rate))
    frame.sample_rate, frame.pts, frame.time_base = rate, round(begins * rate), Fraction(1, rate)
    frame.planes[0].update(_interleaved(tone(seconds, rate), 1).ljust(frame.planes[0].buffer_size, b"\0"))
    resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        yield from stream.encode(part)
    yield from stream.encode(None)


@cache
def film(container: str = "mp4", seconds: int = 3, sound: float = 0.0) -> bytes:
    """So many seconds of a picture, and of the tone."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        heard = output.add_stream("aac", rate=48_000, layout="mono") if sound else None
        for _ in range(5 * seconds):
            output.mux(stream.encode(av.VideoFrame.from_image(still(16, 16)).reformat(format="yuv420p")))
        output.mux(stream.encode(None))
        if heard is not None:
            for packet in _packets(heard, sound, 48_000):
                output.mux(packet)
    return file.getvalue()
