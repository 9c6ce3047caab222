"""A file is what its content says, whatever it is called."""

from __future__ import annotations

import pytest
import samples
from llamafarm_universal.media.formats import FORMATS, HEAD_BYTES, format_of, names_of

MADE = {
    "PNG": samples.picture("PNG"),
    "JPEG": samples.picture("JPEG"),
    "GIF": samples.picture("GIF"),
    "WebP": samples.picture("WEBP"),
    "BMP": samples.picture("BMP"),
    "WAV": samples.wav(0.1),
    "FLAC": samples.coded("flac", "flac"),
    "Ogg": samples.coded("ogg", "libopus"),
    "MP3": samples.coded("mp3", "libmp3lame"),
    "AAC": samples.coded("adts", "aac"),
    "MP4": samples.coded("ipod", "aac"),
    "WebM": samples.coded("webm", "libopus"),
}


@pytest.mark.parametrize("name", MADE)
def test_the_first_bytes_tell(name):
    found = format_of(MADE[name][:HEAD_BYTES])
    assert found.name == name
    assert found.media_type.startswith("image/" if found.kind == "picture" else "audio/")


def test_every_format_is_made_here():
    assert {each.name for each in FORMATS} == set(MADE)


def test_frames_without_a_head_are_mp3():
    content = MADE["MP3"]
    assert format_of(content[content.index(b"\xff\xfb") :]).name == "MP3"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"BM, a letter",
        b"RIFF\0\0\0\0AVI ",
        b"\0\0\0\x20ftypavif",
        b"\0\0\0\x20ftypheic",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"II*\0",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"#EXTM3U\nhttp://127.0.0.1/",
        b"ffconcat version 1.0\nfile /etc/passwd",
        b"%!PS-Adobe",
        b"\xff\xfe\0\0",
        b"\xff\xff\xff\xff",
    ],
)
def test_what_is_not_listed_is_unknown(content):
    assert format_of(content) is None


def test_the_formats_of_a_kind_stand_in_a_sentence():
    assert names_of("picture") == "PNG, JPEG, GIF, WebP and BMP"
