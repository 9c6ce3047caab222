"""Pictures are decoded as a person sees them, and bombs are refused by their heads."""

from __future__ import annotations

import numpy as np
import pytest
import samples
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.decoder import Decoder
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.media.spool import Spool
from PIL import Image

ORIENTATION = 0x0112
RED, BLUE = list(samples.RED), list(samples.BLUE)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "BMP"])
def test_each_format_gives_its_pixels(decode, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    found = decode(samples.picture(kind, **options))
    assert (found.width, found.height, found.frames, found.format.upper()) == (4, 3, 1, kind)
    assert found.array().shape == (1, 3, 4, 3)
    assert found.array()[0, 0, :2].tolist() == [BLUE, RED]


def test_a_jpeg_gives_nearly_its_pixels(decode):
    found = decode(samples.picture("JPEG", 16, 16, quality=95))
    assert np.abs(found.array()[0, 8, 8].astype(int) - RED).max() < 8


@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, (0, 0)), (2, (0, 3)), (3, (2, 3)), (4, (2, 0)), (6, (0, 2)), (8, (3, 0))]
)
def test_a_picture_is_turned_upright(decode, orientation, corner):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    found = decode(samples.picture("PNG", exif=exif))
    assert (found.width, found.height) == ((4, 3) if orientation < 5 else (3, 4))
    assert found.array()[0][corner].tolist() == BLUE


def test_what_is_transparent_is_white_unless_it_is_asked_for(decode):
    clear = samples.saved(Image.new("RGBA", (2, 2), (255, 0, 0, 0)), "PNG")
    assert decode(clear).array()[0, 0, 0].tolist() == [255, 255, 255]
    assert decode(clear, mode="L").array()[0, 0, 0].tolist() == [255]
    assert decode(clear, mode="RGBA").array()[0, 0, 0].tolist() == [255, 0, 0, 0]


def test_palettes_and_sixteen_bits_of_grey_become_eight_bits(decode):
    palette = samples.saved(samples.still().convert("P"), "PNG")
    assert decode(palette).array()[0, 0, :2].tolist() == [BLUE, RED]
    grey = Image.fromarray(np.array([[0, 0x8080, 0xFFFF]], dtype=np.uint16))
    assert decode(samples.saved(grey, "PNG"), mode="L").array()[0, 0, :, 0].tolist() == [0, 128, 255]


def test_frames_are_decoded_where_they_are_wanted(decode, refusal):
    found = decode(samples.animation(3), frames=4)
    assert found.array()[:, 0, 0, 0].tolist() == [0, 40, 80]
    assert refusal(samples.animation(3)).message == "The picture is animated."


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_no_more_frames_than_the_operator_allows(refusal, kind):
    failed = refusal(samples.animation(5, kind), frames=100)
    assert (failed.kind, failed.message) == ("too_large", "The picture has more than 4 frames.")


def test_what_a_camera_puts_behind_a_jpeg_is_no_animation(decode):
    content = samples.saved(samples.still(16, 16), "MPO", save_all=True, append_images=[samples.still(8, 8)])
    found = decode(content)
    assert (found.format, found.width, found.frames) == ("JPEG", 16, 1)


def test_a_large_picture_is_refused_by_its_head_and_the_limit_is_named(refusal):
    failed = refusal(samples.png_head(60_000, 60_000))
    assert failed.kind == "too_large"
    assert failed.message == "The picture is 60,000 x 60,000 pixels; at most 1,000,000 are decoded."
    assert "UNIVERSAL_RUNTIME_MAX_PIXELS" in failed.hint


def test_all_frames_count(refusal):
    large = [Image.new("P", (600, 600), index) for index in range(4)]
    failed = refusal(samples.saved(large[0], "GIF", save_all=True, append_images=large[1:]), frames=4)
    assert failed.message == "The picture is 600 x 600 pixels in 3 frames or more; at most 1,000,000 are decoded."


def test_what_has_no_room_in_the_spool_is_not_decoded(decoder, tmp_path):
    spool = Spool.open(tmp_path / "narrow", MediaSettings(request_bytes=1000))
    with spool.request("req_1") as folder, pytest.raises(RequestFailed, match="no room for the decoded picture"):
        decoder.picture(samples.blob(samples.picture("PNG", 20, 20)), folder)
    spool.close()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_a_picture_that_breaks_off_is_refused_and_leaves_nothing(refusal, folder, kind):
    content = samples.picture(kind, 200, 150)
    assert "breaks off" in refusal(content[: len(content) * 2 // 3]).message
    assert len(list(folder.path.iterdir())) == 1  # what was sent


def test_what_is_no_picture_is_named_for_what_it_is(refusal):
    assert refusal(b"").message == "The picture is empty: it has no bytes."
    assert refusal(samples.wav(0.1)).message == "The file is no picture: it is a sound (WAV)."
    failed = refusal(b"<svg/>")
    assert failed.message == "The file is no picture: it is in no format that is known."
    assert failed.hint == "PNG, JPEG, GIF, WebP and BMP are decoded, whatever their name."


def test_more_memory_than_a_decoder_may_have_is_refused(folder):
    decoder = Decoder(MediaSettings(decode_bytes=160 * 2**20, pixels=10**9))
    try:
        with pytest.raises(RequestFailed, match="takes more memory than the 167,772,160 bytes"):
            decoder.picture(samples.blob(samples.png_bomb(6000)), folder)
        assert decoder.picture(samples.blob(samples.picture()), folder).width == 4
    finally:
        decoder.close()
