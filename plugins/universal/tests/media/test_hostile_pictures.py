"""Pictures that are odd, large, or two things at once are decoded as a person sees them, or refused with the reason."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
import samples
from llamafarm_universal.failure import RequestFailed
from PIL import Image, ImageCms

ORIENTATION = 0x0112
SRGB = ImageCms.createProfile("sRGB")


def noise(*shape: int, dtype=np.uint8):
    return np.random.default_rng(5).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(kind: int, depth: int, rows: np.ndarray, *chunks: bytes) -> bytes:
    """A PNG of a colour type and depth that Pillow does not write."""
    height, width = rows.shape[:2]
    big = rows.astype(">u2" if depth == 16 else "u1")
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in big))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def over_white(colour, alpha):
    """What is seen of a colour that is so opaque."""
    return np.round(colour * (alpha / 255) + 255 * (1 - alpha / 255))


# Turned


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_honoured(decode, orientation, kind):
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8] = 255  # a corner that tells all eight apart with the sides' lengths
    turned = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.transpose(1, 0, 2),
        6: np.rot90(upright), 7: np.rot90(upright, 2).transpose(1, 0, 2), 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    content = samples.saved(Image.fromarray(np.ascontiguousarray(turned)), kind, exif=exif, **options)
    assert np.abs(decode(content).array()[0].astype(int) - upright).max() <= (40 if kind == "JPEG" else 0)


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0", b"\xff" * 200])
def test_exif_that_is_broken_turns_nothing(decode, exif):
    content = samples.saved(samples.still(16, 16), "JPEG", quality=95, exif=exif)
    assert decode(content).array().shape == (1, 16, 16, 3)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_there_is_not_turns_nothing(decode, value):
    exif = Image.Exif()
    exif[ORIENTATION] = value
    assert decode(samples.picture("PNG", exif=exif)).array()[0, 0, 0].tolist() == list(samples.BLUE)


# Colours


def test_sixteen_bits_of_every_kind_become_eight(decode):
    values = noise(6, 5, 4, dtype=np.uint16)
    colour, alpha = values[..., :3], values[..., 3:]
    near = lambda one, other: np.abs(one.astype(int) - np.round(other / 257)).max() <= 1  # noqa: E731
    assert near(decode(png(2, 16, colour)).array()[0], colour)
    assert near(decode(png(6, 16, values), mode="RGBA").array()[0], values)
    assert near(decode(png(0, 16, colour[..., :1])).array()[0], colour[..., :1].repeat(3, 2))
    grey = np.concatenate([colour[..., :1], alpha], 2)
    assert near(decode(png(4, 16, grey), mode="RGBA").array()[0], grey[..., [0, 0, 0, 1]])


def test_grey_with_alpha_lies_on_white(decode):
    values = noise(6, 5, 2)
    found = decode(png(4, 8, values)).array()[0]
    assert np.abs(found - over_white(values[..., :1], values[..., 1:].astype(float))).max() <= 1


def test_a_palette_with_transparency_lies_on_white(decode):
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    content = samples.saved(image, "PNG", transparency=bytes([0, 128, 255]))
    assert decode(content).array()[0, 0].tolist() == [[255, 255, 255], [127, 255, 127], [0, 0, 255]]
    assert decode(content, mode="RGBA").array()[0, 0, :, 3].tolist() == [0, 128, 255]


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("kind", [0, 2])
def test_a_colour_that_stands_for_transparent_is_white(decode, kind, depth):
    rows = noise(4, 4, 3 if kind == 2 else 1, dtype=np.uint16 if depth == 16 else np.uint8)
    clear = struct.pack(f">{rows.shape[2]}H", *rows[0, 0].tolist())
    found = decode(png(kind, depth, rows, chunk(b"tRNS", clear))).array()[0]
    assert found[0, 0].tolist() == [255, 255, 255]
    assert found[1, 1].tolist() != [255, 255, 255]


def test_ink_becomes_light(decode):
    inks = np.zeros((16, 48, 4), np.uint8)
    inks[:, :16, 0] = 255  # cyan
    inks[:, 16:32, 3] = 255  # black
    content = samples.saved(Image.fromarray(inks, "CMYK"), "JPEG", quality=100)
    found = decode(content).array()[0].astype(int)
    for place, colour in ((8, [0, 255, 255]), (24, [0, 0, 0]), (40, [255, 255, 255])):
        assert np.abs(found[8, place] - colour).max() <= 4


def profile_of_wide_colours() -> bytes:
    """An RGB profile whose red and green are exchanged: what ignores it shows the wrong colours."""
    content = bytearray(ImageCms.ImageCmsProfile(SRGB).tobytes())
    count = int.from_bytes(content[128:132], "big")
    places = {bytes(content[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, green = places[b"rXYZ"], places[b"gXYZ"]
    content[red + 4 : red + 12], content[green + 4 : green + 12] = (
        bytes(content[green + 4 : green + 12]),
        bytes(content[red + 4 : red + 12]),
    )
    while (at := content.find("sRGB".encode("utf-16-be"))) >= 0:  # its description
        content[at : at + 8] = "wide".encode("utf-16-be")
    return bytes(content)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_colours_are_those_of_the_profile(decode, kind):
    options = {"PNG": {}, "JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}[kind]
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    found = decode(samples.saved(red, kind, icc_profile=profile_of_wide_colours(), **options)).array()[0, 8, 8]
    assert np.abs(found.astype(int) - [0, 255, 0]).max() <= 6


def test_a_profile_changes_nothing_of_what_is_transparent(decode):
    values = noise(5, 6, 4)
    content = samples.saved(Image.fromarray(values), "PNG", icc_profile=profile_of_wide_colours())
    assert (decode(content, mode="RGBA").array()[0, ..., 3] == values[..., 3]).all()


@pytest.mark.parametrize(
    "profile", [ImageCms.ImageCmsProfile(SRGB).tobytes(), b"no profile", bytes(128), profile_of_wide_colours()[:300]]
)
def test_the_usual_profile_and_one_that_is_broken_change_no_pixel(decode, profile):
    values = noise(6, 5, 3)
    content = samples.saved(Image.fromarray(values), "PNG", icc_profile=profile)
    assert (decode(content).array()[0] == values).all()


def test_a_profile_for_another_kind_of_picture_changes_no_pixel(decode):
    values = noise(6, 5)
    content = samples.saved(Image.fromarray(values), "PNG", icc_profile=profile_of_wide_colours())
    assert (decode(content, mode="L").array()[0, ..., 0] == values).all()


# Large


@pytest.mark.parametrize(
    "content",
    [
        samples.png_head(65_000, 65_000),
        b"GIF89a" + b"\xff" * 4 + b"\x80\0\0" + bytes(6) + b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;",
        samples.saved(Image.new("L", (16_000, 8_000)), "WEBP", lossless=True, method=0),
        samples.saved(Image.new("1", (30_000, 30_000)), "BMP")[:200],
    ],
    ids=["png", "gif", "webp", "bmp"],
)  # fmt: skip
def test_a_bomb_is_refused_by_its_head(refusal, content):
    failed = refusal(content)
    assert (failed.kind, failed.param) == ("too_large", "image")
    assert "at most 1,000,000 are decoded" in failed.message


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_frames_of_every_kind_count_as_pixels(refusal, kind):
    images = [Image.new("RGB", (600, 600), (index * 60, 0, 0)) for index in range(4)]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = samples.saved(images[0], kind, save_all=True, append_images=images[1:], **options)
    assert refusal(content, frames=4).message.startswith("The picture is 600 x 600 pixels in 3 frames or more;")


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_bomb_beside_the_pixels_is_not_inflated(decoder, folder, name):
    inflated = zlib.compress(bytes(200 * 2**20), 9)
    head = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\x01\0\0\0", b"iCCP": b"a\0\0"}[name]
    content = png(2, 8, noise(4, 4, 3), chunk(name, head + inflated))
    try:
        assert decoder.picture(samples.blob(content), folder).width == 4
    except RequestFailed as failed:  # Pillow's own limit
        assert "cannot be decoded" in failed.message


# Two things at once


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("evil.txt", "evil")
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize("rest", [archive(), b"<script>alert(1)</script>", b"%PDF-1.7"], ids=["zip", "script", "pdf"])
def test_what_stands_behind_a_picture_is_not_read(decode, kind, rest):
    content = samples.picture(kind, 16, 16)
    assert (decode(content + rest).array() == decode(content).array()).all()


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)//",
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>',
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"II*\0\x08\0\0\0" + bytes(100),
        b"\0\0\x01\0\x01\0" + bytes(100),
        b"P6 4 4 255\n" + bytes(48),
        b"push graphic-context\nimage over 0,0 0,0 'https://farm.example.com/'",
        archive(),
    ],
    ids=["gif-js", "svg", "svg-xxe", "eps", "tiff", "ico", "ppm", "mvg", "zip"],
)  # fmt: skip
def test_what_is_another_thing_is_refused(refusal, content):
    assert refusal(content).kind == "invalid_request"
