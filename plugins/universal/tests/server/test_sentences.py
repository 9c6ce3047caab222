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
