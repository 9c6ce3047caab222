"""Sounds that were made to harm: heads that lie, files that never end, and files that ask for others."""

from __future__ import annotations

import io
import socket
import struct
import zipfile
from collections.abc import Iterator
from functools import cache

import av
import numpy as np
import pytest
import samples
from llamafarm_universal.failure import RequestFailed

LIMIT = 5
"""Seconds of a sound, as conftest's settings have it."""
RATE = 16_000


@pytest.fixture
def decode(decoder, folder):
    return lambda content: decoder.sound(samples.blob(content), folder, param="file")


@pytest.fixture
def outcome(decode):
    """The seconds that were decoded, or why nothing was. Whatever comes, the next sound is decoded."""

    def told(content: bytes) -> float | str:
        try:
            ended = decode(content).seconds
        except RequestFailed as failed:
            assert failed.kind in ("invalid_request", "too_large"), failed
            ended = failed.message
        assert decode(samples.wav(1.0)).samples == RATE
        return ended

    return told


def wav(
    *,
    rate: int = RATE,
    channels: int = 1,
    bits: int = 16,
    align: int = 2,
    size: int | None = None,
    form: int = 16,
    content: bytes = samples.wav(1.0)[44:],
) -> bytes:
    """A WAV of a second whose head says what it likes. size: of the samples; form: of the chunk before them."""
    head = struct.pack("<IHHIIHH", form, 1, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    size = len(content) if size is None else size
    return b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + head + b"data" + struct.pack("<I", size) + content


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ({"rate": 0}, ""),
        ({"rate": 2**32 - 1}, ""),
        ({"rate": 2**31}, ""),
        ({"rate": 4_000_000}, "4,000,000 samples a second"),
        ({"rate": 1}, "longer than 5 seconds"),
        ({"channels": 0}, ""),
        ({"channels": 255, "align": 510}, "255 channels"),
        ({"channels": 65_535, "align": 65_535}, ""),
        ({"bits": 0}, ""),
        ({"bits": 999}, ""),
        ({"form": 2**32 - 1}, ""),
        ({"form": 0}, ""),
        ({"size": 2**31 - 2**20}, "breaks off"),
        ({"size": 40_000}, "8,000 of its bytes are missing"),
        ({"content": b""}, "empty"),
    ],
    ids=str,
)
def test_a_wav_whose_head_lies_is_refused(outcome, head, told):
    message = outcome(wav(**head))
    assert isinstance(message, str), f"{message} seconds were decoded"
    assert told in message


@pytest.mark.parametrize("head", [{"size": 0}, {"size": 2**32 - 1}, {"size": 2**31}, {"align": 0}], ids=str)
def test_a_wav_whose_head_does_not_tell_its_size_has_no_more_than_is_there(outcome, head):
    seconds = outcome(wav(**head))
    assert isinstance(seconds, str) or seconds <= 1.0


def test_an_ogg_that_begins_again_and_again_ends_at_the_limit(outcome):
    one = samples.coded("ogg", "libopus", 1.0)
    ended = outcome(one * 20)
    assert isinstance(ended, str) or ended <= LIMIT


def test_an_ogg_that_promises_hours_has_no_more_than_is_there(outcome):
    """The position of a page says how many samples there were before; a page may say anything."""
    content = bytearray(samples.coded("ogg", "libopus", 1.0))
    for page in (at for at in range(len(content)) if content[at : at + 4] == b"OggS"):
        content[page + 6 : page + 14] = struct.pack("<q", 2**62)
    ended = outcome(bytes(content))
    assert isinstance(ended, str) or ended <= LIMIT


@cache
def silence(container: str, codec: str, seconds: int, rate: int = 8_000) -> bytes:
    """Packed a thousand times and more."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, rate * 60), np.int16), format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size)
        for at in range(seconds // 60):
            frame.pts = at * rate * 60
            for part in resampler.resample(frame):
                output.mux(stream.encode(part))
        for part in resampler.resample(None):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return file.getvalue()


def test_ten_hours_of_silence_are_refused_by_their_head(outcome):
    content = bytearray(silence("flac", "flac", 600))
    assert len(content) < 200_000
    total = struct.unpack(">Q", content[18:26])[0] & ~0xF_FFFF_FFFF  # the lower 36 bits: how many samples there are
    content[18:26] = struct.pack(">Q", total | 36_000 * 8_000)
    assert outcome(bytes(content)) == f"The sound is longer than {LIMIT} seconds."


def test_silence_that_does_not_tell_how_long_it_is_ends_at_the_limit(outcome):
    content = bytearray(silence("flac", "flac", 600))
    content[18:26] = struct.pack(">Q", struct.unpack(">Q", content[18:26])[0] & ~0xF_FFFF_FFFF)
    assert outcome(bytes(content)) == f"The sound is longer than {LIMIT} seconds."
    assert outcome(silence("mp3", "libmp3lame", 600)) == f"The sound is longer than {LIMIT} seconds."


def test_packed_silence_within_the_limits_is_a_sound(decoder, folder):
    found = decoder.sound(samples.blob(silence("mp3", "libmp3lame", 60)[:4_000]), folder)
    assert 1 < found.seconds <= LIMIT
    assert not np.abs(found.array()).max()


def changed(content: bytes, atom: bytes, at: int, value: bytes) -> bytes:
    """An MP4 with other bytes so far behind the name of its first atom of a kind."""
    place = content.index(atom) + 4 + at
    return content[:place] + value + content[place + len(value) :]


HUGE = b"\xff\xff\xff\xff"
MOOVS = {
    "a sample of each byte and more": ("stsz", 8, HUGE),
    "samples of 4 GB": ("stsz", 4, HUGE),
    "endless times": ("stts", 4, HUGE),
    "endless samples of a time": ("stts", 8, HUGE),
    "endless chunks": ("stco", 4, HUGE),
    "chunks behind the end": ("stco", 8, HUGE),
    "chunks of endless samples": ("stsc", 12, HUGE),
    "no ticks a second": ("mdhd", 12, b"\0\0\0\0"),
    "a track of years": ("mdhd", 16, HUGE),
    "a description of 4 GB": ("stsd", 8, HUGE),
    "endless descriptions": ("stsd", 4, HUGE),
    "a table that is larger than the file": ("stbl", -8, HUGE),
    "a head that has no end": ("moov", -8, b"\0\0\0\0"),
}


@pytest.mark.parametrize("name", MOOVS)
def test_an_mp4_whose_tables_lie_has_no_more_than_is_there(outcome, name):
    atom, at, value = MOOVS[name]
    ended = outcome(changed(samples.coded("ipod", "aac", 1.0), atom.encode(), at, value))
    assert isinstance(ended, str) or ended <= LIMIT


def test_an_mp4_of_nothing_but_boxes_in_boxes_is_refused(outcome):
    nested = b""
    for _ in range(5_000):
        nested = struct.pack(">I", len(nested) + 8) + b"moov" + nested
    assert isinstance(outcome(b"\0\0\0\x14ftypM4A \0\0\0\0M4A " + nested), str)


def test_a_sound_that_is_an_archive_too_is_nothing_but_the_sound(decode):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../evil.py", "import os")
    found = decode(samples.wav(1.0) + file.getvalue())
    assert np.array_equal(found.array(), decode(samples.wav(1.0)).array())


def test_an_archive_that_holds_a_sound_is_none(outcome):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("sound.wav", samples.wav(1.0))
    assert outcome(file.getvalue()) == "The file is no sound: it is in no format that is known."


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """An address of this machine at which nobody may knock."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


PLAYLISTS = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile {url}\n",
    "pls": "[playlist]\nFile1={url}\n",
    "smil": "<smil><body><audio src='{url}'/></body></smil>",
    "dash": "<?xml version='1.0'?><MPD><BaseURL>{url}</BaseURL></MPD>",
    "sdp": "v=0\nc=IN IP4 127.0.0.1\nm=audio {port} RTP/AVP 0\n",
}
HEADS = {
    "nothing": b"",
    "ID3": b"ID3\x03\0\0\0\0\0\0",
    "RIFF": b"RIFF\xff\xff\xff\xffWAVE",
    "Ogg": b"OggS",
    "FLAC": b"fLaC",
    "MP4": b"\0\0\0\x14ftypM4A \0\0\0\0M4A ",
    "Matroska": b"\x1a\x45\xdf\xa3",
    "AAC": b"\xff\xf1",
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_list_of_files_is_never_read_as_one(decode, listener, kind, head):
    port = listener.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/sound.wav", f"tcp://127.0.0.1:{port}", "file:///etc/passwd"):
        written = PLAYLISTS[kind].format(url=url, port=port).encode()
        with pytest.raises(RequestFailed):
            decode(HEADS[head] + written)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_film_that_names_another_file_is_not_followed(decode, listener):
    """QuickTime's tracks may lie in other files, which `dref` names."""
    port = listener.getsockname()[1]
    content = samples.coded("ipod", "aac", 1.0)
    place = content.index(b"dref") + 12
    url = f"http://127.0.0.1:{port}/a.mp4\0".encode()
    lying = changed(changed(content, b"dref", 16, b"\0\0\0\0"), b"dref", 12, b"alis")
    for hostile in (lying, content[:place] + b"url " + b"\0\0\0\0" + url + content[place + 8 + len(url) :]):
        try:
            assert decode(hostile).seconds <= LIMIT
        except RequestFailed as failed:
            assert failed.kind == "invalid_request"
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_text_that_is_called_a_sound_is_none(outcome):
    for text in (b"This is a WAV file.\n" * 50, "Ein Gerät".encode("utf-16"), b"<?php system($_GET[0]); ?>"):
        assert outcome(text) == "The file is no sound: it is in no format that is known."
