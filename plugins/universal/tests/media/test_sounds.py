"""Sounds of every format become the same floats, and none is longer than it may be, whatever its head says."""

from __future__ import annotations

import numpy as np
import pytest
import samples
from llamafarm_universal.failure import RequestFailed

CODED = [
    ("mp3", "libmp3lame"),
    ("flac", "flac"),
    ("ogg", "libopus"),
    ("webm", "libopus"),
    ("adts", "aac"),
    ("ipod", "aac"),
    ("ipod", "alac"),
]


@pytest.fixture
def decode(decoder, folder):
    return lambda content, **options: decoder.sound(samples.blob(content), folder, param="file", **options)


@pytest.fixture
def refusal(decode):
    def refused(content, **options):
        with pytest.raises(RequestFailed) as failed:
            decode(content, **options)
        assert failed.value.param == "file"
        return failed.value

    return refused


def loudest(sound) -> float:
    """The frequency that is loudest in the middle of a sound."""
    middle = sound.array()[sound.samples // 4 : sound.samples * 3 // 4, 0]
    return np.argmax(np.abs(np.fft.rfft(middle))) * sound.sample_rate / len(middle)


def test_a_wav_gives_its_samples(decode):
    found = decode(samples.wav(1.0))
    expected = np.array(samples.tone(1.0), dtype=np.float32) / 2**15
    assert (found.format, found.sample_rate, found.samples, found.seconds) == ("WAV", 16_000, 16_000, 1.0)
    assert np.array_equal(found.array()[:, 0], expected)


@pytest.mark.parametrize(("container", "codec"), CODED)
def test_every_format_is_resampled_to_what_is_wanted(decode, container, codec):
    found = decode(samples.coded(container, codec))
    assert found.seconds == pytest.approx(1.0, abs=0.1)
    assert loudest(found) == pytest.approx(440, abs=3)
    assert np.abs(found.array()).max() == pytest.approx(0.5, abs=0.1)


def test_two_channels_stay_two_where_they_are_wanted(decode):
    stereo = samples.wav(0.5, 44_100, 2)
    assert decode(stereo).array().shape == (8000, 1)
    found = decode(stereo, channels=2, sample_rate=44_100).array()
    assert found.shape == (22_050, 2)
    assert np.array_equal(found[:, 0], found[:, 1])


def test_a_long_sound_is_refused_and_the_limit_is_named(refusal):
    failed = refusal(samples.wav(6.0))
    assert (failed.kind, failed.message) == ("too_large", "The sound is longer than 5 seconds.")
    assert "UNIVERSAL_RUNTIME_MAX_SOUND_SECONDS" in failed.hint


def test_a_long_sound_that_says_nothing_of_its_length_is_refused_as_well(refusal):
    streamed = bytearray(samples.wav(6.0))
    streamed[4:8] = streamed[40:44] = b"\xff\xff\xff\xff"
    assert refusal(bytes(streamed)).message == "The sound is longer than 5 seconds."
    assert refusal(samples.coded("adts", "aac", 6.0)).kind == "too_large"


def test_a_wav_from_a_pipe_is_whole(decode):
    streamed = bytearray(samples.wav(1.0))
    streamed[4:8] = streamed[40:44] = b"\xff\xff\xff\xff"
    assert decode(bytes(streamed)).samples == 16_000


@pytest.mark.parametrize(("container", "codec"), [each for each in CODED if each[0] in ("flac", "webm", "ipod")])
def test_a_sound_that_breaks_off_is_refused(refusal, container, codec):
    content = samples.coded(container, codec, 3.0)
    assert "breaks off" in refusal(content[: len(content) // 2]).message


@pytest.mark.parametrize(("container", "codec"), [("ogg", "libopus"), ("webm", "libopus"), ("ipod", "aac")])
def test_a_sound_that_begins_late_is_whole(decode, container, codec):
    assert decode(samples.coded(container, codec, begins=5.0)).seconds == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("container", "codec"), [("mp3", "libmp3lame"), ("ogg", "libopus")])
def test_of_what_does_not_tell_its_length_all_that_has_come_is_taken(decode, container, codec):
    content = samples.coded(container, codec, 3.0)
    assert 0.9 < decode(content[: len(content) // 2]).seconds < 2.0


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_of_a_film_that_goes_on_without_sound_the_sound_is_whole(decode, container):
    assert decode(samples.film(container, sound=1.0)).seconds == pytest.approx(1.0, abs=0.1)


def test_a_wav_that_breaks_off_is_refused(refusal):
    assert refusal(samples.wav(2.0)[:-1000]).message == "The sound breaks off: 1,000 of its bytes are missing."


def test_what_holds_no_sound_is_refused(refusal):
    assert refusal(samples.film()).message == "The file holds no sound."
    assert refusal(samples.wav(0.0)).message == "The sound is empty."
    assert refusal(samples.picture()).message == "The file is no sound: it is a picture (PNG)."


def test_too_many_channels_or_samples_a_second_are_refused(refusal):
    assert refusal(samples.wav(0.1, 16_000, 9)).message == "The sound has 9 channels; 1 to 8 are decoded."
    assert "384,000 samples a second" in refusal(samples.wav(0.1, 384_000)).message


def test_other_codecs_of_a_known_container_are_refused(refusal):
    assert "coded in a way that is not decoded" in refusal(samples.coded("matroska", "ac3")).message
