"""Pictures and sounds in a request's JSON are decoded piece by piece, and what is none is refused."""

from __future__ import annotations

import base64

import pytest
import samples
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.data_url import PIECE, decode_base64, decode_data_url, is_data_url

LIMIT = 2 * 2**20
PNG = samples.picture()


def data_url(content: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def test_the_bytes_come_with_the_type_that_they_have(folder):
    found = decode_data_url(data_url(PNG, "image/jpeg"), folder, LIMIT)
    assert (found.data, found.media_type) == (PNG, "image/png")


def test_many_bytes_become_a_file(folder):
    content = samples.wav(15.0)
    found = decode_base64(base64.b64encode(content).decode(), folder, LIMIT)
    assert found.path.read_bytes() == content
    assert found.media_type == "audio/wav"


@pytest.mark.parametrize("length", range(1, 9))
def test_padding_may_be_missing(folder, length):
    text = base64.b64encode(bytes(length)).decode().rstrip("=")
    assert decode_base64(text, folder, LIMIT).data == bytes(length)


def test_line_ends_do_not_matter_wherever_they_stand(folder):
    content = bytes(range(256)) * 4000
    found = decode_base64(base64.encodebytes(content).decode(), folder, LIMIT)
    assert found.path.read_bytes() == content


def test_nothing_may_follow_the_padding_wherever_it_stands(folder):
    text = base64.b64encode(bytes(PIECE // 4 * 3 - 1)).decode()
    assert len(text) == PIECE
    with pytest.raises(RequestFailed, match="is not base64"):
        decode_base64(text + "AAAA", folder, LIMIT)


@pytest.mark.parametrize("head", ["data:image/png;base64,", "data:;base64,", "DATA:image/png;charset=x;BASE64,"])
def test_heads_are_read_as_the_standard_has_them(folder, head):
    assert is_data_url(head)
    assert decode_data_url(head + base64.b64encode(PNG).decode(), folder, LIMIT).data == PNG


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("data:image/png", "must be `data:TYPE;base64,`"),
        ("data:image/png,%89PNG", "must hold base64"),
        ("data:image/png;base64,", "is empty"),
        ("data:image/png;base64,====", "is not base64"),
        ("data:image/png;base64,AAA=AAAA", "is not base64"),
        ("data:image/png;base64,AA-_", "is not base64"),
        ("data:image/png;base64,AAAAA", "is not base64"),
        ("data:image/png;base64,ÄÄÄÄ", "is not base64"),
        ("data:" + "x" * 300 + ";base64,AAAA", "must be `data:TYPE;base64,`"),
    ],
)
def test_what_is_none_is_refused(folder, url, reason):
    with pytest.raises(RequestFailed, match=reason) as failed:
        decode_data_url(url, folder, LIMIT, param="messages[0]")
    assert (failed.value.kind, failed.value.param) == ("invalid_request", "messages[0]")


def test_too_many_bytes_are_refused(folder):
    with pytest.raises(RequestFailed, match="larger than 2,097,152 bytes") as failed:
        decode_data_url(data_url(bytes(LIMIT + 1)), folder, LIMIT)
    assert failed.value.kind == "too_large"
    assert decode_data_url(data_url(bytes(LIMIT)), folder, LIMIT).size == LIMIT
