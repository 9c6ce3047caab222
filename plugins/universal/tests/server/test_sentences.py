"""What is spoken at one go."""

from __future__ import annotations

import pytest
from llamafarm_universal.server.sentences import LONGEST, sentences_of


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Hello.", ("Hello.",)),
        ("One. Two! Three? Four", ("One.", "Two!", "Three?", "Four")),
        ('He said "No." Then he left.', ('He said "No.', "Then he left.")),
        ("First line\n\nsecond line", ("First line", "second line")),
        ("Pi is 3.14, they say.", ("Pi is 3.14, they say.",)),
        ("\u4f60\u597d\u3002\u518d\u89c1\u3002", ("\u4f60\u597d\u3002", "\u518d\u89c1\u3002")),
        ("  \n ", ()),
        (
            "Dr. Smith met J. R. Ewing at 3 p.m. today. He paid.",
            ("Dr. Smith met J. R. Ewing at 3 p.m. today.", "He paid."),
        ),
        ("1. First\n2. Second", ("1. First", "2. Second")),
        (
            "\u0643\u064a\u0641\u061f \u0628\u062e\u064a\u0631\u06d4 \u0646\u0639\u0645",
            ("\u0643\u064a\u0641\u061f", "\u0628\u062e\u064a\u0631\u06d4", "\u0646\u0639\u0645"),
        ),
        ("\u0939\u093e\u0901\u0964 \u0920\u0940\u0915", ("\u0939\u093e\u0901\u0964", "\u0920\u0940\u0915")),
        (
            "\u4ec0\u4e48\uff1f\uff01\u201c\u597d\u3002\u201d\u8d70\u3002",
            ("\u4ec0\u4e48\uff1f\uff01", "\u201c\u597d\u3002\u201d", "\u8d70\u3002"),
        ),
    ],
)
def test_a_text_is_cut_behind_its_sentences(text, sentences):
    assert sentences_of(text) == sentences


def test_a_long_sentence_is_cut_at_its_commas_and_between_words():
    clause = "the cows are in the barn and the llama is too " * 4
    pieces = sentences_of(f"{clause}, {clause}, {'word ' * 200}")
    assert all(len(piece) <= LONGEST for piece in pieces)
    assert " ".join(pieces).replace(",", "").split() == f"{clause} {clause} {'word ' * 200}".split()


def test_not_a_letter_is_lost_where_there_is_no_gap():
    assert "".join(sentences_of("a" * 1000)) == "a" * 1000


def test_clauses_are_spoken_together_as_far_as_they_may_be():
    pieces = sentences_of("\u7532\u4e59\uff0c" * 200)
    assert [len(piece) for piece in pieces[:-1]] == [LONGEST - 1] * 2
    assert "".join(pieces) == "\u7532\u4e59\uff0c" * 200
    assert [len(piece) for piece in sentences_of("one, two, " * 50)] == [LONGEST - 1, LONGEST - 1]


@pytest.mark.parametrize("text", ["word " * 1000, "\u4f60\u597d" * 2500, "." * 5000, "," * 5000, "Mr. " * 1250])
def test_the_first_piece_of_a_text_that_never_ends_is_short(text):
    pieces = sentences_of(text)
    assert len(pieces) > 10
    assert all(len(piece) <= LONGEST for piece in pieces)
