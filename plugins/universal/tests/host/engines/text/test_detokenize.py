"""Token ids to text, piece by piece: the pieces together are what the tokenizer makes of the whole."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest
from llamafarm_universal.host.engines.text.detokenize import Detokenizer
from llamafarm_universal.host.engines.text.vocabulary import Vocabulary
from tiny_models import make_byte_fallback_tokenizer, make_tokenizer

TEXTS = [
    "hello world",
    "naïve café",
    "你好，世界",
    "👩‍👩‍👧 family",
    "  two  spaces\n\ttab ",
    "mixed 日本 and emoji 🎉!",
    "ሀሁሂሃሄህx",
    "the � itself",
]


def byte_level_by_steps() -> Any:
    """Byte-level, but in a shape that nothing knows beforehand: its decoder has several steps."""
    from tokenizers import decoders

    tokenizer = make_tokenizer()
    steps = decoders.Sequence([decoders.Replace("q", "Q"), decoders.ByteLevel()])
    tokenizer.backend_tokenizer.decoder = steps
    return tokenizer


def word_pieces() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["[UNK]", "[PAD]", "hello", "world", "##ly", "##s", ",", ".", "don", "'", "t"]
    tokenizer = Tokenizer(models.WordPiece({name: token for token, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]")


KINDS = {
    "byte-level": make_tokenizer,
    "byte-level by steps": byte_level_by_steps,
    "byte fallback": lambda: make_byte_fallback_tokenizer(strips=False),
    "byte fallback, space dropped": lambda: make_byte_fallback_tokenizer(strips=True),
    "word pieces": word_pieces,
}


@pytest.fixture(scope="module", params=KINDS)
def any_tokenizer(request: pytest.FixtureRequest) -> Any:
    return KINDS[request.param]()


@pytest.fixture(scope="module", params=[kind for kind in KINDS if kind.startswith("byte")])
def byte_tokenizer(request: pytest.FixtureRequest) -> Any:
    """Those that can spell every text."""
    return KINDS[request.param]()


def streamed(tokenizer: Any, tokens: list[int]) -> str:
    detokenizer = Detokenizer(vocabulary_of(tokenizer))
    return "".join(map(detokenizer.push, tokens)) + detokenizer.flush()


@cache
def vocabulary_of(tokenizer: Any) -> Vocabulary:
    return Vocabulary(tokenizer)


def whole(tokenizer: Any, tokens: list[int]) -> str:
    text: str = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text


def ids(tokenizer: Any, text: str) -> list[int]:
    tokens: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return tokens


@pytest.mark.parametrize("text", TEXTS)
def test_the_pieces_together_are_the_text(byte_tokenizer: Any, text: str) -> None:
    tokens = ids(byte_tokenizer, text)
    assert streamed(byte_tokenizer, tokens) == whole(byte_tokenizer, tokens)


@pytest.mark.parametrize("text", TEXTS[:-1])
def test_no_piece_holds_half_a_character(byte_tokenizer: Any, text: str) -> None:
    detokenizer = Detokenizer(vocabulary_of(byte_tokenizer))
    assert not any("\ufffd" in detokenizer.push(token) for token in ids(byte_tokenizer, text))


@pytest.mark.parametrize("text", ["ሀሁሂሃሄህ", "🎉🎉🎉"])
def test_each_character_comes_with_its_last_byte(byte_tokenizer: Any, text: str) -> None:
    detokenizer = Detokenizer(vocabulary_of(byte_tokenizer))
    pieces = [detokenizer.push(token) for token in ids(byte_tokenizer, text)]
    assert [piece for piece in pieces if piece.strip()] == list(text)


def test_random_tokens_lose_nothing_and_double_nothing(any_tokenizer: Any) -> None:
    """Special tokens, bytes that are no characters and spaces at every place among them."""
    draw = random.Random(0)
    special = sorted(vocabulary_of(any_tokenizer).special)
    for _ in range(1000):
        tokens = [draw.randrange(len(any_tokenizer)) for _ in range(draw.randrange(1, 30))]
        for _ in range(draw.randrange(3)):
            at = draw.randrange(len(tokens) + 1)
            tokens[at:at] = draw.choice([ids(any_tokenizer, draw.choice(TEXTS)), draw.choices(special, k=10)])
        assert comparable(streamed(any_tokenizer, tokens)) == comparable(expected(any_tokenizer, tokens)), tokens


def comparable(text: str) -> str:
    """Without the character that is cut off at the end of a text, which the pieces leave out."""
    return text.rstrip("\ufffd")


def expected(tokenizer: Any, tokens: list[int]) -> str:
    """The whole text; a run of bytes of which some are no character keeps those that are.

    A byte-fallback decoder shows none of such a run, which cannot be known while it comes.
    """
    vocabulary = vocabulary_of(tokenizer)
    text = whole(tokenizer, tokens)
    if not vocabulary.byte_fallback or "\ufffd" not in text:
        return text
    spelled = b""
    for token in tokens:
        if token not in vocabulary.special:
            name = tokenizer.convert_ids_to_tokens(token)
            spelled += bytes.fromhex(name[3:5]) if name.startswith("<0x") else name.replace("▁", " ").encode()
    readable = spelled.decode(errors="replace")
    return readable.removeprefix(" ") if tokenizer.decode(ids(tokenizer, "a")) == "a" else readable


def test_a_character_that_is_cut_off_at_the_end_is_left_out(byte_tokenizer: Any) -> None:
    tokens = ids(byte_tokenizer, "a🎉")
    assert streamed(byte_tokenizer, tokens[:-1]) == whole(byte_tokenizer, ids(byte_tokenizer, "a"))


def test_special_tokens_have_no_text_unless_they_are_asked_for(tokenizer: Any) -> None:
    tokens = ids(tokenizer, "one<|im_end|>two")
    assert streamed(tokenizer, tokens) == "onetwo"
    shown = Detokenizer(vocabulary_of(tokenizer), hidden=frozenset())
    assert "".join(map(shown.push, tokens)) == "one<|im_end|>two"


def test_a_text_that_goes_on_keeps_the_space_between(byte_tokenizer: Any) -> None:
    begin = [*ids(byte_tokenizer, "hello"), *[byte_tokenizer.pad_token_id] * 20]
    going_on = Detokenizer(vocabulary_of(byte_tokenizer), begin)
    assert "".join(map(going_on.push, ids(byte_tokenizer, " the world"))).replace("  ", " ") == " the world"


@pytest.mark.parametrize("text", TEXTS)
def test_the_bytes_of_the_tokens_together_are_the_text(byte_tokenizer: Any, text: str) -> None:
    detokenizer = Detokenizer(vocabulary_of(byte_tokenizer))
    spelled = []
    for token in ids(byte_tokenizer, text):
        spelled.append(detokenizer.bytes_of(token))
        detokenizer.push(token)
    assert b"".join(spelled).decode() == whole(byte_tokenizer, ids(byte_tokenizer, text))


def test_an_emoji_is_four_bytes_and_a_special_token_its_name() -> None:
    tokenizer = make_byte_fallback_tokenizer(strips=True)
    detokenizer = Detokenizer(vocabulary_of(tokenizer))
    tokens = tokenizer.convert_tokens_to_ids(["<0xF0>", "<0x9F>", "<0x98>", "<0x80>"])
    assert list(map(detokenizer.bytes_of, tokens)) == [b"\xf0", b"\x9f", b"\x98", b"\x80"]
    assert detokenizer.bytes_of(tokenizer.eos_token_id) == b"</s>"


def test_added_tokens_with_characters_beyond_the_alphabet_are_told_as_they_are(tokenizer: Any) -> None:
    changed = make_tokenizer()
    changed.add_tokens(["日本", "two words", "é"])
    for text in ("日本", "two words", "é"):
        tokens = changed.convert_tokens_to_ids([text]) * 2
        assert comparable(streamed(changed, tokens)) == comparable(whole(changed, tokens))


def test_a_long_text_is_the_same_as_decoded_at_once(byte_tokenizer: Any) -> None:
    tokens = ids(byte_tokenizer, " ".join(TEXTS) * 20)
    assert streamed(byte_tokenizer, tokens) == whole(byte_tokenizer, tokens)


def test_added_tokens_are_known_by_name_also_where_the_tokenizer_lists_special_ones_alone(tokenizer: Any) -> None:
    class Bare:
        """A tokenizer that lists no added tokens, such as mistral-common's."""

        @property
        def added_tokens_decoder(self) -> dict[int, Any]:
            raise NotImplementedError

        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        def __len__(self) -> int:
            return len(tokenizer)

    assert vocabulary_of(tokenizer).added == {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2}
    assert Vocabulary(Bare()).added == {"<|endoftext|>": 0, "<|im_end|>": 2}
