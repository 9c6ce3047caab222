"""Chunks: never longer than asked, nothing lost, beginning where sections begin."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llamafarm_rag.chunking.splitting import cut
from llamafarm_rag.documents.document import Block, Document

pytestmark = pytest.mark.anyio


def document(*parts, title=None):
    """A document of blocks: texts, or texts with what their block says."""
    text, blocks = "", []
    for part in parts:
        body, about = part if isinstance(part, tuple) else (part, {})
        blocks.append(Block(len(text), len(text) + len(body), **about))
        text += body + "\n\n"
    return Document(text, tuple(blocks), title)


def prose(sentences, words=12):
    return " ".join("Word" + " word" * (words - 2) + f" n{number}." for number in range(sentences))


async def sizes(chunks, minilm):
    return await minilm([chunk.embedded for chunk in chunks])


async def test_what_fits_together_is_one_chunk(minilm):
    text = document("First paragraph.", "Second paragraph.")
    [chunk] = await cut(text, minilm, 64, 8)
    assert chunk.text == "First paragraph.\n\nSecond paragraph."


async def test_a_document_without_text_has_no_chunks(minilm):
    assert await cut(Document("  \n", ()), minilm, 64, 8) == []
    assert await cut(Document("  \n", (Block(0, 3, heading=("A",)),), "Title"), minilm, 64, 8) == []


async def test_a_block_stays_whole_where_it_fits_into_a_chunk_of_its_own(minilm):
    chunks = await cut(document(prose(3), prose(4), prose(2)), minilm, 80, 0)
    assert [chunk.text for chunk in chunks] == [prose(3), prose(4), prose(2)]


async def test_whole_sentences_are_repeated(minilm):
    first, second, *_ = await cut(document(prose(20)), minilm, 80, 20)
    last_sentence = first.text.rpartition(". ")[2]
    assert second.text.startswith(last_sentence)
    assert second.start == first.end - len(last_sentence)


async def test_nothing_is_repeated_without_overlap_or_under_another_heading(minilm):
    for parts, overlap in (([prose(20)], 0), ([(prose(5), {"heading": ("A",)}), (prose(5), {"heading": ("B",)})], 40)):
        first, second, *_ = await cut(document(*parts), minilm, 80, overlap)
        assert second.start > first.end


async def test_a_heading_begins_a_chunk(minilm):
    sections = [(prose(3), {"heading": ("Guide", "Install")}), (prose(1), {"heading": ("Guide", "Use")})]
    chunks = await cut(document(*sections, title="Guide"), minilm, 256, 32)
    assert [chunk.heading for chunk in chunks] == [("Guide", "Install"), ("Guide", "Use")]
    assert chunks[0].embedded == f"Guide > Install\n\n{prose(3)}"


async def test_tiny_sections_are_put_together_under_what_they_share(minilm):
    tiny = [("Yes.", {"heading": ("FAQ", "Is it?")}), ("No.", {"heading": ("FAQ", "Was it?")})]
    [chunk] = await cut(document(*tiny), minilm, 256, 32)
    assert chunk.heading == ("FAQ",)
    tiny.append((prose(3), {"heading": ("FAQ", "Was it?")}))
    [chunk] = await cut(document(*tiny), minilm, 256, 32)
    assert chunk.heading == ("FAQ",)
    [chunk] = await cut(document(("Intro.", {"heading": ("A",)}), ("More.", {"heading": ("A", "B")})), minilm, 256, 32)
    assert chunk.heading == ("A", "B")


async def test_a_page_begins_a_chunk_which_says_its_number(minilm):
    chunks = await cut(document((prose(4), {"page": 1}), (prose(4), {"page": 2})), minilm, 256, 32)
    assert [chunk.page for chunk in chunks] == [1, 2]
    [chunk] = await cut(document(("Heading", {"page": 1}), (prose(4), {"page": 2})), minilm, 256, 32)
    assert chunk.page == 2


async def test_lines_of_code_stay_whole_with_their_indentation(minilm):
    code = "\n".join(f"    value_{number} = compute(value_{number - 1})" for number in range(1, 30))
    chunks = await cut(document((code, {"by_line": True})), minilm, 64, 0)
    assert len(chunks) > 2
    assert "\n".join(chunk.text for chunk in chunks) == code


async def test_long_headings_leave_room_for_the_text(minilm):
    heading = (prose(10), "Small print", "Of the " + prose(10))
    chunks = await cut(document((prose(20), {"heading": heading}), title=prose(30)), minilm, 64, 0)
    assert chunks[0].heading == heading
    assert chunks[0].context.startswith("Of the Word") and chunks[0].context.endswith("…")
    assert max(await sizes(chunks, minilm)) <= 64
    assert len(chunks) < 8
    chunks = await cut(document((prose(20), {"heading": heading[:2]}), title="Manual"), minilm, 64, 0)
    assert chunks[0].context == "Small print"


async def test_a_tokenizer_that_counts_what_is_between_words_is_obeyed():
    async def characters(texts):
        return [len(text) for text in texts]

    chunks = await cut(document(prose(9), prose(9), title="Title"), characters, 100, 30)
    assert max(len(chunk.embedded) for chunk in chunks) <= 100


async def test_a_word_that_is_one_token_to_the_model_may_still_be_too_long(minilm):
    chunks = await cut(document("x" * 10_000), minilm, 64, 8)
    assert max(len(chunk.text) for chunk in chunks) <= 64 * 16
    assert "".join(chunk.text for chunk in chunks) == "x" * 10_000


async def test_texts_are_counted_in_few_calls(minilm):
    before = minilm.calls
    chunks = await cut(document(*[prose(5)] * 200), minilm, 256, 32)
    assert len(chunks) > 50
    assert minilm.calls - before <= 2
    await cut(document(("Short.", {"heading": ("A",)}), title="Title"), minilm, 256, 32)
    assert minilm.calls - before <= 3


PIECES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["Hello there. ", "word " * 30, "a" * 300, "今日は。", "\n\n", "- item\n", "e\u0301" * 40, "👩\u200d🚀" * 20,
         "      x\n", "ﷺ" * 30, "\u200b", "?!" * 50, "q\u0301\u0301\u0301" * 30]
    ),
)  # fmt: skip
BODIES = st.lists(PIECES, min_size=1, max_size=12).map("".join)
HEADINGS = st.lists(st.one_of(st.text(max_size=30), st.just("Long heading " * 20)), max_size=3).map(tuple)
BLOCKS = st.lists(
    st.tuples(
        BODIES,
        st.fixed_dictionaries({"heading": HEADINGS, "by_line": st.booleans()}),
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(blocks=BLOCKS, title=st.none() | st.text(max_size=60), size=st.integers(16, 80), overlap=st.integers(0, 15))
def test_any_document_is_cut_whole_and_to_size(minilm, blocks, title, size, overlap):
    text = document(*blocks, title=title)
    chunks = anyio.run(cut, text, minilm, size, overlap)
    assert all(count <= size for count in anyio.run(sizes, chunks, minilm))
    assert all(chunk.text == text.text[chunk.start : chunk.end] for chunk in chunks)
    covered = {place for chunk in chunks for place in range(chunk.start, chunk.end)}
    assert all(place in covered for place, letter in enumerate(text.text) if not letter.isspace())
    assert [chunk.start for chunk in chunks] == sorted(chunk.start for chunk in chunks)
