"""The formats that sound can be had in, and what writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SoundFormat:
    """container, codec: FFmpeg's names. rates: samples of a second that the codec takes, where it minds; else any."""

    media_type: str
    container: str = ""
    codec: str = ""
    rates: tuple[int, ...] = ()

    def rate(self, rate: int) -> int:
        """The rate to write for samples of a rate: the same where the codec takes it, else the first that it does."""
        return self.rates[0] if self.rates and rate not in self.rates else rate


SOUND_FORMATS: Mapping[str, SoundFormat] = {
    "mp3": SoundFormat("audio/mpeg", "mp3", "libmp3lame", (24_000, 16_000, 22_050, 32_000, 44_100, 48_000)),
    "opus": SoundFormat("audio/ogg", "ogg", "libopus", (24_000, 8_000, 12_000, 16_000, 48_000)),
    "aac": SoundFormat("audio/aac", "adts", "aac", (24_000, 16_000, 22_050, 32_000, 44_100, 48_000)),
    "flac": SoundFormat("audio/flac", "flac", "flac"),
    "wav": SoundFormat("audio/wav"),
    "pcm": SoundFormat("audio/pcm", "s16le", "pcm_s16le", (24_000,)),
}
"""By the names that requests have for them. `wav` is a head before the samples; `pcm` is what OpenAI's servers send."""


def wav_head(rate: int, size: int | None) -> bytes:
    """What stands before 16-bit samples of one channel. size: of these in bytes; None: nobody knows yet."""
    whole, size = (0xFFFFFFFF, 0xFFFFFFFF) if size is None else (36 + size, size)
    form = b"".join(number.to_bytes(width, "little") for number, width in ((16, 4), (1, 2), (1, 2)))
    speed = b"".join(number.to_bytes(width, "little") for number, width in ((rate, 4), (rate * 2, 4), (2, 2), (16, 2)))
    return b"RIFF" + whole.to_bytes(4, "little") + b"WAVEfmt " + form + speed + b"data" + size.to_bytes(4, "little")
