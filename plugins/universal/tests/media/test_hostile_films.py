"""Films that were made to harm, or are none: heads that lie, too much of everything, and files that ask for others."""

from __future__ import annotations

import struct

import films
import pytest
import samples
from films import changed, film, numbers
from llamafarm_universal.failure import RequestFailed

LIMIT = 20
"""Seconds of a film, as conftest's settings have it."""


@pytest.fixture
def outcome(decoder, folder):
    """How many pictures were taken, or why none was. Whatever comes, the next film is decoded, and no file is left."""

    def told(content: bytes) -> int | str:
        try:
            taken = decoder.film(samples.blob(content), folder, param="messages")
            ended: int | str = taken.frames
        except RequestFailed as failed:
            assert failed.kind in ("invalid_request", "too_large"), failed
            ended = failed.message
        assert numbers(decoder.film(samples.blob(film()), folder).array()) == [2, 7, 12, 17]
        return ended

    return told


def lasting(content: bytes, seconds: float) -> bytes:
    """A WebM that promises so many seconds."""
    place = content.index(b"\x44\x89\x88") + 3
    return content[:place] + struct.pack(">d", seconds * 1000) + content[place + 8 :]


def test_a_film_that_promises_more_than_it_has_is_refused(outcome):
    short = film(container="webm")
    assert str(outcome(lasting(short, 3600))).startswith("The film breaks off after")


def test_a_film_that_is_longer_than_its_head_says_ends_at_the_limit(outcome):
    long = film(tuple(float(number) for number in range(LIMIT + 10)), container="webm")
    assert "longer than 20 seconds" in str(outcome(lasting(long, 1)))


def test_an_mp4_whose_track_promises_an_hour_is_as_long_as_its_pictures(outcome):
    ticks = film()[film().index(b"mdhd") + 16 :][:4]
    hour = struct.pack(">I", 3600 * int.from_bytes(ticks, "big"))
    assert outcome(changed(film(), b"mdhd", 16, hour)) == 4


def test_sixteen_thousand_pictures_are_read_and_four_decoded(outcome):
    assert outcome(film(tuple(number / 1000 for number in range(16_000)), size=(16, 16), keys=250, codec="mpeg4")) == 4


def test_a_film_without_pictures_is_none(outcome):
    assert isinstance(outcome(film(())), str)
    assert isinstance(outcome(film((), container="webm")), str)


def test_a_recording_with_a_picture_on_its_cover_is_no_film(outcome):
    assert outcome(films.recording_with_cover()) == "The file holds no pictures: it is a sound."


def test_a_sound_in_a_container_of_films_is_no_film(outcome):
    for sound in (samples.coded("mp4", "aac"), samples.coded("webm", "libopus")):
        assert outcome(sound) == "The file holds no pictures: it is a sound."


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animated_picture_is_no_film(outcome, kind):
    name = {"WEBP": "WebP"}.get(kind, kind)
    assert outcome(samples.animation(3, kind)) == f"The file is no film: it is a picture ({name})."


def test_a_film_that_breaks_off_is_refused(outcome):
    for container in ("mp4", "webm"):
        whole = film(tuple(number / 10 for number in range(100)), container=container)
        assert isinstance(outcome(whole[: len(whole) // 2]), str)


def test_a_film_with_too_many_pixels_is_refused_before_any_is_decoded(outcome):
    big = film((0.0,), size=(2048, 1024))
    assert "2,048 x 1,024 pixels; at most 1,000,000" in str(outcome(big))


def test_a_head_that_says_few_pixels_gets_no_more_through(outcome):
    """The size that a description of an MP4 tells is not the one of its pictures."""
    big = film((0.0,), size=(2048, 1024))
    assert "pixels; at most 1,000,000" in str(outcome(changed(big, b"avc1", 24, struct.pack(">HH", 16, 16))))


HUGE = b"\xff\xff\xff\xff"
LIES = {
    "a sample of each byte and more": ("stsz", 8, HUGE),
    "samples of 4 GB": ("stsz", 4, HUGE),
    "endless times": ("stts", 4, HUGE),
    "endless samples of a time": ("stts", 8, HUGE),
    "samples that last for days": ("stts", 12, HUGE),
    "endless chunks": ("stco", 4, HUGE),
    "chunks behind the end": ("stco", 8, HUGE),
    "no ticks a second": ("mdhd", 12, b"\0\0\0\0"),
    "endless keys": ("stss", 4, HUGE),
    "keys that are none": ("stss", 8, HUGE),
    "a table that is larger than the file": ("stbl", -8, HUGE),
    "a matrix of nothing": ("tkhd", 40, bytes(36)),
    "a matrix of noise": ("tkhd", 40, HUGE * 9),
}


@pytest.mark.parametrize("name", LIES)
def test_an_mp4_whose_tables_lie_has_no_more_than_is_there(outcome, name):
    atom, at, value = LIES[name]
    ended = outcome(changed(film(), atom.encode(), at, value))
    assert isinstance(ended, str) or ended <= 4


def test_pictures_that_change_their_size_are_brought_to_one(outcome):
    """Frames of two streams behind one another, as a broken recorder writes them."""
    both = film(container="webm") + film(container="webm", size=(64, 48))
    assert isinstance(outcome(both), int | str)


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\nhttp://127.0.0.1/x.mp4\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"\x1a\x45\xdf\xa3" + b"\xff" * 999,
        b"\0\0\0\x18ftypisom" + b"\0" * 999,
    ],
)
def test_what_is_no_film_is_refused(outcome, content):
    assert isinstance(outcome(content), str)


def test_a_codec_that_is_not_let_in_is_refused(outcome):
    assert "coded in a way" in str(outcome(film(codec="ffv1", container="matroska")))
