"""What the tokens of one model stand for: bytes, hidden marks, or text that depends on the tokens around it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
_PRINTABLE = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
_SAMPLES = 64


def _byte_alphabet() -> dict[str, int]:
    """The characters that stand for bytes in byte-level vocabularies, as GPT-2 chose them.

    Printable bytes of Latin-1 are themselves; the others follow from U+0100 on, in order.
    """
    others = iter(range(0x100, 0x200))
    return {chr(byte if byte in _PRINTABLE else next(others)): byte for byte in range(256)}


_BYTES_OF = _byte_alphabet()


class Vocabulary:
    """The tokens of a transformers tokenizer.

    Byte-level vocabularies (GPT-2, Llama 3, Qwen) say for each token which bytes it stands for. SentencePiece ones
    (Llama 2, Gemma) say it for their 256 byte tokens, `<0x00>` to `<0xFF>`; what other tokens add depends on where they
    stand. What a tokenizer does is not read from its configuration but tried.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        added = _added_tokens(tokenizer)
        self.special: frozenset[int] = frozenset(tokenizer.all_special_ids) | {
            token for token, content in added.items() if content.special
        }
        self._special_names = {token: tokenizer.convert_ids_to_tokens(token) for token in self.special}
        self.added: Mapping[str, int] = {
            **{str(content): token for token, content in added.items()},
            **{name: token for token, name in self._special_names.items()},
        }
        """The tokens that were added to the vocabulary, by their names: special ones, and others."""
        self.byte_level = self._is_byte_level()
        self.byte_fallback = not self.byte_level and self._falls_back_to_bytes()
        self._known: dict[int, bytes | None] = {}

    def special_but(self, names: Collection[str]) -> frozenset[int]:
        """The special tokens, without those of these names."""
        return frozenset(token for token, name in self._special_names.items() if name not in names)

    def decode(self, tokens: list[int]) -> str:
        """The text of tokens, special ones included."""
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def bytes_of(self, token: int) -> bytes | None:
        """The bytes that a token stands for wherever it stands; None where its text depends on those before it."""
        if token not in self._known:
            self._known[token] = self._read_bytes(token)
        return self._known[token]

    def _read_bytes(self, token: int) -> bytes | None:
        name = self._tokenizer.convert_ids_to_tokens(token)
        if self.byte_level:
            return (
                spelled_bytes(name) if name is not None else b""
            )  # models have more rows than their tokenizer has tokens
        if self.byte_fallback and name is not None and (match := _BYTE_TOKEN.fullmatch(name)):
            return bytes([int(match[1], 16)])
        return None

    def _is_byte_level(self) -> bool:
        """Whether all bytes, and tokens from all over the vocabulary, decode as in a byte-level vocabulary.

        Every such vocabulary has a token for each byte, and the space among them is special to other decoders.
        """
        alphabet = self._tokenizer.convert_tokens_to_ids(list(_BYTES_OF))
        if None in alphabet or self._tokenizer.convert_ids_to_tokens(alphabet) != list(_BYTES_OF):
            return False
        size = len(self._tokenizer)
        space = alphabet[0x20]
        tokens = [
            *alphabet,
            *(space for _ in range(2)),
            *(index * size // _SAMPLES for index in range(_SAMPLES)),
            space,
        ]
        names = self._tokenizer.convert_ids_to_tokens(tokens)
        if None in names:
            return False
        return self.decode(tokens) == b"".join(map(spelled_bytes, names)).decode(errors="replace")

    def _falls_back_to_bytes(self) -> bool:
        euro = [self._tokenizer.convert_tokens_to_ids(f"<0x{byte:02X}>") for byte in "€".encode()]
        return None not in euro and self.decode(euro) == "€"


def _added_tokens(tokenizer: Any) -> dict[int, Any]:
    try:
        added: dict[int, Any] = tokenizer.added_tokens_decoder
    except NotImplementedError:  # mistral-common's tokenizers have special tokens alone
        return {}
    return added


def spelled_bytes(name: str) -> bytes:
    """The bytes of a byte-level token; one with other characters, such as an added token, is itself."""
    if all(character in _BYTES_OF for character in name):
        return bytes(_BYTES_OF[character] for character in name)
    return name.encode()
