"""Server-sent events: frames survive any cut, and are read as the specification says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llamafarm.wire import sse

TEXTS = st.lists(st.text(min_size=1), min_size=1, max_size=5)


async def cut(data: bytes, places: list[int]) -> AsyncIterator[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    for start, end in pairwise(edges):
        yield data[start:end]


async def frames(data: bytes, *places: int, **options) -> list[bytes]:
    return [frame async for frame in sse.split(cut(data, list(places)), **options)]


async def events(data: bytes, *places: int) -> list[sse.Event]:
    return [event async for event in sse.events(cut(data, list(places)))]


@given(TEXTS, st.lists(st.integers(0, 10_000), max_size=20), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_is_encoded_is_read_back_wherever_it_is_cut(texts, places, line_end):
    encoded = [sse.encode({"text": text}, event="e").replace(b"\n", line_end.encode()) for text in texts]
    whole = b"".join(encoded)
    if line_end == "\n":
        assert asyncio.run(frames(whole, *places)) == encoded
    read = asyncio.run(events(whole, *places))
    assert [event.name for event in read] == ["e"] * len(texts)
    assert [event.data for event in read] == [sse.encode({"text": text})[6:-2].decode() for text in texts]


def test_a_character_cut_in_half_comes_whole():
    data = "data: ü\n\n".encode()
    for place in range(len(data)):
        assert asyncio.run(events(data, place)) == [sse.Event("ü")]


def test_a_line_end_cut_in_half_ends_one_event_and_not_two():
    data = b"data: a\r\n\r\ndata: b\r\n\r\n"
    for place in range(len(data)):
        assert [event.data for event in asyncio.run(events(data, place))] == ["a", "b"]


def test_comments_are_kept_as_frames_and_left_out_as_events():
    data = sse.KEEP_ALIVE + b"data: a\n\n" + sse.DONE
    assert asyncio.run(frames(data)) == [sse.KEEP_ALIVE, b"data: a\n\n", sse.DONE]
    assert asyncio.run(events(data)) == [sse.Event("a"), sse.Event("[DONE]")]


def test_what_follows_the_last_empty_line_is_given_as_it_is():
    assert asyncio.run(frames(b"data: a\n\ndata: b")) == [b"data: a\n\n", b"data: b"]


@pytest.mark.parametrize(
    "frame, event",
    [
        (b"data: a\ndata: b\n\n", sse.Event("a\nb")),
        (b"data:a\n\n", sse.Event("a")),
        (b"data:  a\n\n", sse.Event(" a")),
        (b"data\n\n", None),
        (b"data:\n\n", None),
        (b"data: \n\n", None),
        (b"event: error\ndata: a\nid: 3\nretry: 9\n\n", sse.Event("a", "error")),
        (b"data: a: b\n\n", sse.Event("a: b")),
        (b"data: \xff\n\n", sse.Event("�")),
        (b": comment\n\n", None),
        (b"event: alone\n\n", None),
        (b"\n\n", None),
    ],
)
def test_one_frame_is_read_as_the_specification_says(frame, event):
    assert sse.parse(frame) == event


ENDS = [b"\n", b"\r", b"\r\n"]
PAIRS_OF_ENDS = [pair for pair in product(ENDS, ENDS) if pair != (b"\r", b"\n")]  # CR LF is one line end


@pytest.mark.parametrize(("first", "second"), PAIRS_OF_ENDS)
def test_an_event_ends_at_two_line_ends_of_any_kind_wherever_they_are_cut(first, second):
    data = b"data: a" + first + second + b"data: b" + first + second
    for place in range(len(data)):
        assert [event.data for event in asyncio.run(events(data, place))] == ["a", "b"]


def test_a_line_of_complete_json_is_an_event_of_its_own_where_the_empty_line_is_missing():
    data = b'data: {"a": 1}\ndata: {"a": 2}\ndata: [DONE]\n'
    for place in range(len(data)):
        read = asyncio.run(events(data, place))
        assert [event.data for event in read] == ['{"a": 1}', '{"a": 2}', "[DONE]"]


def test_the_last_chunk_and_done_in_one_event_are_two():
    read = asyncio.run(frames(b'data: {"a": 1}\ndata: [DONE]\n\n'))
    assert read == [b'data: {"a": 1}\n\n', sse.DONE]


def test_json_over_several_data_lines_stays_one_event():
    data = b'data: {\ndata: "a": {}\ndata: }\n\n'
    assert asyncio.run(events(data)) == [sse.Event('{\n"a": {}\n}')]


def test_a_byte_order_mark_at_the_beginning_is_no_part_of_the_first_event():
    data = b"\xef\xbb\xbfdata: a\n\n"
    for place in range(len(data)):
        assert asyncio.run(frames(data, place)) == [b"data: a\n\n"]


def test_an_event_without_end_is_refused():
    with pytest.raises(sse.EventTooLarge, match="larger than 100 bytes"):
        asyncio.run(frames(b"data: " + b"x" * 1000, *range(0, 1000, 10), limit=100))


def test_many_small_events_pass_a_small_limit():
    assert len(asyncio.run(frames(b"data: a\n\n" * 1000, limit=20_000))) == 1000
