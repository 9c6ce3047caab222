"""What bytes are, by their content: the first ones tell. A name or a header may say anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

HEAD_BYTES = 64
"""How many bytes are enough to tell."""
UNKNOWN_TYPE = "application/octet-stream"
Kind = Literal["picture", "sound", "film"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Format:
    """A kind of file that can be decoded. name: what users call it. reader: what the library that decodes it does.

    holds_films: whether such files, which are sounds where a sound is wanted, can be films too.
    """

    kind: Kind
    name: str
    media_type: str
    reader: str
    holds_films: bool = False

    def can_be(self, kind: Kind) -> bool:
        return self.kind == kind or (kind == "film" and self.holds_films)


PNG = Format("picture", "PNG", "image/png", "PNG")
JPEG = Format("picture", "JPEG", "image/jpeg", "JPEG")
GIF = Format("picture", "GIF", "image/gif", "GIF")
WEBP = Format("picture", "WebP", "image/webp", "WEBP")
BMP = Format("picture", "BMP", "image/bmp", "BMP")
WAV = Format("sound", "WAV", "audio/wav", "wav")
FLAC = Format("sound", "FLAC", "audio/flac", "flac")
OGG = Format("sound", "Ogg", "audio/ogg", "ogg")
MP3 = Format("sound", "MP3", "audio/mpeg", "mp3")
AAC = Format("sound", "AAC", "audio/aac", "aac")
MP4 = Format("sound", "MP4", "audio/mp4", "mov", holds_films=True)
WEBM = Format("sound", "WebM", "audio/webm", "matroska", holds_films=True)
"""Of films that are given as sounds, the sound is taken."""
FORMATS = (PNG, JPEG, GIF, WEBP, BMP, WAV, FLAC, OGG, MP3, AAC, MP4, WEBM)

_STARTS = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"fLaC", FLAC),
    (b"OggS", OGG),
    (b"ID3", MP3),
    (b"\x1a\x45\xdf\xa3", WEBM),
)
_RIFFS = {b"WEBP": WEBP, b"WAVE": WAV}
_STILLS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1")
"""Brands of MP4 files that are pictures, which are not decoded."""
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)


def format_of(head: bytes) -> Format | None:
    """The format of a file that begins with `head`; None where it is none that can be decoded."""
    for start, found in _STARTS:
        if head.startswith(start):
            return found
    if head[:4] in (b"RIFF", b"RF64"):
        return _RIFFS.get(head[8:12])
    if head[4:8] == b"ftyp":
        return None if head[8:12] in _STILLS else MP4
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return BMP
    return _mpeg(head)


def _mpeg(head: bytes) -> Format | None:
    """Frames of MPEG sound begin with eleven bits that are set, version and layer; layer 0 is AAC (ISO 13818-7).

    Layer I, which nobody uses, has the bits of a UTF-16 text's first character.
    """
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0x06 in (0x02, 0x04):
        return MP3 if head[1] & 0x18 != 0x08 and head[2] & 0xF0 != 0xF0 else None
    return AAC if head[1] & 0xF6 == 0xF0 else None


def names_of(kind: Kind) -> str:
    """The formats of a kind, for a sentence."""
    names = [each.name for each in FORMATS if each.can_be(kind)]
    return f"{', '.join(names[:-1])} and {names[-1]}"
