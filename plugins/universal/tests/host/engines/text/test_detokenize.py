"""Token ids to text, piece by piece."""

from __future__ import annotations

from typing import Any

import pytest
from llamafarm_universal.host.engines.text.detokenize import Detokenizer

TEXTS = [
    "hello world",
    "naïve café",
    "你好，世界",
    "👩‍👩‍👧 family",
    "  two  spaces\n\ttab ",
    "mixed 日本 and emoji 🎉!",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_pieces_together_are_the_text(tokenizer: Any, text: str) -> None:
    detokenizer = Detokenizer(tokenizer)
    pieces = [detokenizer.push(token) for token in tokenizer(text)["input_ids"]]
    assert "".join(pieces) + detokenizer.flush() == text


@pytest.mark.parametrize("text", TEXTS)
def test_no_piece_holds_half_a_character(tokenizer: Any, text: str) -> None:
    detokenizer = Detokenizer(tokenizer)
    assert not any("\ufffd" in detokenizer.push(token) for token in tokenizer(text)["input_ids"])


def test_a_character_that_is_cut_off_at_the_end_is_left_out(tokenizer: Any) -> None:
    tokens = tokenizer("a🎉")["input_ids"][:-1]
    detokenizer = Detokenizer(tokenizer)
    assert "".join(map(detokenizer.push, tokens)) + detokenizer.flush() == "a"


def test_special_tokens_have_no_text(tokenizer: Any) -> None:
    detokenizer = Detokenizer(tokenizer)
    tokens = tokenizer("one<|im_end|>two")["input_ids"]
    assert "".join(map(detokenizer.push, tokens)) == "onetwo"


def test_a_long_text_is_the_same_as_decoded_at_once(tokenizer: Any) -> None:
    tokens = tokenizer(" ".join(TEXTS) * 20)["input_ids"]
    detokenizer = Detokenizer(tokenizer)
    assert "".join(map(detokenizer.push, tokens)) == tokenizer.decode(tokens)
