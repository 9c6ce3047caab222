"""Films become pictures: evenly over their time, upright, and no larger than they may be."""

from __future__ import annotations

import films
import numpy as np
import pytest
import samples
from films import film, numbers, turned
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.decoder import Decoder
from llamafarm_universal.media.settings import MediaSettings


@pytest.fixture
def pictures(decoder, folder):
    """The pictures of a film, [frames, height, width, channels]."""
    return lambda content: decoder.film(samples.blob(content), folder, param="messages").array()


@pytest.mark.parametrize("keys", [1, 5, 100])
@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_pictures_are_taken_evenly_over_its_length(pictures, container, keys):
    assert numbers(pictures(film(container=container, keys=keys))) == [2, 7, 12, 17]


@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9", "mpeg4"])
def test_films_of_other_codecs(pictures, codec):
    assert numbers(pictures(film(codec=codec, container="mp4"))) == [2, 7, 12, 17]


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_a_film_that_begins_late_has_the_same_pictures(pictures, container):
    late = tuple(3600 + number / 10 for number in range(20))
    assert numbers(pictures(film(late, container=container))) == [2, 7, 12, 17]


def test_of_a_film_at_changing_speed_what_is_shown_at_these_moments(pictures):
    times = (0.0, 0.02, 0.04, 0.06, 1.0, 1.02, 3.0, 3.1, 4.0)
    assert numbers(pictures(film(times))) == [3, 5, 7, 8]  # at 0.6, 1.9, 3.1 and 4.4 seconds


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_film_of_few_pictures_gives_each_once(pictures, count):
    times = tuple(float(number) for number in range(count))
    assert numbers(pictures(film(times, level=30))) == [number * 3 for number in range(count)]


@pytest.mark.parametrize("quarters", range(4))
def test_it_is_turned_as_it_says(pictures, quarters):
    [picture] = pictures(turned(film((0.0,), first=200), quarters))
    upright = films.grey(200, (32, 16))
    assert picture.shape == np.rot90(upright, -quarters).shape
    assert np.abs(picture.astype(int) - np.rot90(upright, -quarters)).mean() < 20


def test_pictures_are_made_smaller_where_they_would_have_too_many_pixels_together(folder):
    decoder = Decoder(MediaSettings(pixels=1000, film_frames=4))
    try:
        taken = decoder.film(samples.blob(film()), folder)
    finally:
        decoder.close()
    assert (taken.width, taken.height, taken.frames) == (22, 11, 4)
    assert taken.frames * taken.width * taken.height <= 1000


def test_a_film_with_a_sound_is_the_same_film(pictures):
    assert len(pictures(samples.film(seconds=2, sound=1.0))) == 4


def test_the_operator_says_how_many(folder):
    decoder = Decoder(MediaSettings(film_frames=2))
    try:
        assert numbers(decoder.film(samples.blob(film()), folder).array()) == [5, 15]
    finally:
        decoder.close()


def test_what_is_wrong_names_the_field(pictures):
    with pytest.raises(RequestFailed) as failed:
        pictures(samples.picture("PNG"))
    assert failed.value.param == "messages"
    assert failed.value.message == "The file is no film: it is a picture (PNG)."
    assert failed.value.hint == "MP4 and WebM are decoded, whatever their name."
