"""Where sentences end, told while a text comes."""

from __future__ import annotations

import random

import pytest
from llamafarm_rag.answering.sentences import SentenceReader, sentence_ends


def read(*pieces: str, reader: SentenceReader | None = None) -> list[str]:
    reader = reader or SentenceReader()
    text = "".join([reader.prose(piece) for piece in pieces] + [reader.end()])
    assert text == "".join(pieces)
    assert [text[sentence.start : sentence.end].strip() for sentence in reader.sentences] == [
        sentence.text for sentence in reader.sentences
    ]
    return [sentence.text for sentence in reader.sentences]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("It is 3.5 GB in llamafarm.yaml. Yes.", ["It is 3.5 GB in llamafarm.yaml.", "Yes."]),
        (
            "Use it, e.g. Here, or cf. Fig. 3 by Dr. A. Smith. Done.",
            ["Use it, e.g. Here, or cf. Fig. 3 by Dr. A. Smith.", "Done."],
        ),
        ("# Ports\n\n- open 11540\n- close it\n", ["# Ports", "- open 11540", "- close it"]),
        ("1. First item.\n2. Second item.", ["1. First item.", "2. Second item."]),
        ('He said "Stop." Then he left... And more', ['He said "Stop."', "Then he left...", "And more"]),
        ("端口是11540。服务关闭！", ["端口是11540。", "服务关闭！"]),
        ("ends in small. letters", ["ends in small. letters"]),
        ("  \n \n", []),
        ("." * 40, ["." * 40]),
    ],
)
def test_sentences_end_where_readers_see_them_end(text, sentences):
    assert read(text) == sentences


def test_a_mark_belongs_to_the_sentence_before_it():
    reader = SentenceReader()
    sent = reader.prose("One") + reader.mark(" [1]", (1,)) + reader.prose(". Two.") + reader.mark(" [2]", (2,))
    sent += reader.mark("[3]", (3,)) + reader.prose(" Three") + reader.end()
    assert sent == "One [1]. Two. [2][3] Three"
    assert [(sent[each.start : each.end], each.text, each.numbers) for each in reader.sentences] == [
        ("One [1].", "One.", (1,)),
        ("Two. [2][3]", "Two.", (2, 3)),
        ("Three", "Three", ()),
    ]


def test_what_is_marked_beside_stands_before_the_punctuation():
    reader = SentenceReader(lambda text, numbers: () if numbers or "no" in text else (4,))
    sent = reader.prose("One. There is no two! Three\n四。") + reader.end()
    assert sent == "One [4]. There is no two! Three [4]\n四[4]。"
    assert [sent[each.start : each.end] for each in reader.sentences if each.added] == [
        "One [4].",
        "Three [4]",
        "四[4]。",
    ]


def test_code_in_a_line_belongs_to_its_sentence_and_a_block_to_none():
    reader = SentenceReader(lambda *_: (1,))
    sent = (
        reader.prose("Run `")
        + reader.code("lf. Serve")
        + reader.prose("`. Then:\n```")
        + reader.code("sh\nls. Now\n```\n")
    )
    sent += reader.prose("Done.") + reader.end()
    assert sent == "Run `lf. Serve` [1]. Then: [1]\n```sh\nls. Now\n```\nDone [1]."
    assert [each.text for each in reader.sentences] == ["Run `lf. Serve`.", "Then:", "Done."]


def test_only_punctuation_is_held_back():
    reader = SentenceReader()
    assert [reader.prose(piece) for piece in ("One", ".", " ", "T", "wo.", "x")] == ["One", "", "", ". T", "wo", ".x"]


def test_a_text_is_read_alike_wherever_it_is_cut():
    dice = random.Random(15)
    parts = ["One", "two", ".", "!", " ", "\n", "1", '"', "。", "e.g", "…", ")", "-"]
    for _ in range(800):
        text = "".join(dice.choices(parts, k=dice.randrange(1, 24)))
        cuts = sorted(dice.randrange(len(text) + 1) for _ in range(dice.randrange(6)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert read(text) == read(*pieces)


def test_a_whole_text_tells_its_ends():
    assert sentence_ends("One. Two is longer!  Three") == [4, 19, 26]
