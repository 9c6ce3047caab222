"""What Whisper's tokens mean beside text: languages, tasks and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llamafarm_universal.engine import refused
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages.work.audio import Word

_MOST_LISTED = 12


class Vocabulary:
    """generation: the model's generation configuration, which names most of them; the tokenizer knows the rest.

    start: with which every text begins. end: with which it ends. times: the token of 0 seconds, behind which those of
    all other times lie. languages: the token of each, by its code; empty where the model knows one language alone.
    """

    def __init__(self, tokenizer: Any, generation: Any) -> None:
        self._tokenizer = tokenizer
        self.start: int = generation.decoder_start_token_id
        self.end: int = generation.eos_token_id
        self.times = 1 + int(getattr(generation, "no_timestamps_token_id", None) or self._id("<|notimestamps|>"))
        self.no_speech = self.times - 2
        is_multilingual = getattr(generation, "is_multilingual", True)
        named: Mapping[str, int] = (getattr(generation, "lang_to_id", None) or {}) if is_multilingual else {}
        self.languages = {name.strip("<|>"): token for name, token in named.items()}
        self._tasks: Mapping[str, int] = (getattr(generation, "task_to_id", None) or {}) if is_multilingual else {}
        self._special = frozenset(tokenizer.all_special_ids)

    @property
    def translates(self) -> bool:
        return "translate" in self._tasks

    def language_id(self, name: str) -> int:
        """The token of a language, by its code or its English name. Raises RequestFailed for one that is unknown."""
        from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

        code = TO_LANGUAGE_CODE.get(name.lower(), name.lower())
        if code in self.languages:
            return self.languages[code]
        known = sorted(self.languages)
        some = ", ".join(known[:_MOST_LISTED]) + (", …" if len(known) > _MOST_LISTED else "")
        raise refused(f"The model does not know the language {name[:40]!r}.", "language", hint=f"It knows {some}.")

    def language(self, token: int | None) -> str | None:
        """The English name of a language's token; a model that knows none is of English alone."""
        from transformers.models.whisper.tokenization_whisper import LANGUAGES

        if not self.languages:
            return "english"
        code = next((code for code, other in self.languages.items() if other == token), None)
        return None if code is None else str(LANGUAGES.get(code, code))

    def begin(self, language: int | None, task: str) -> list[int]:
        """What a text begins with, so that it is written in the right language and with times."""
        asked = self._tasks.get(task)
        return [self.start, *([] if language is None else [language]), *([] if asked is None else [asked])]

    def prompt(self, text: str, most: int) -> list[int]:
        """A text that goes before, of at most so many tokens: its end counts. Raises RequestFailed."""
        if not text.strip():
            return []
        previous, *tokens = self._tokenizer("<|startofprev|>", " " + text.strip(), add_special_tokens=False)[
            "input_ids"
        ]
        if not all(map(self.is_text, tokens)):
            raise refused("The prompt holds tokens that are no text, such as `<|endoftext|>`.", "prompt")
        return [previous, *tokens[-(most - 1) :]]

    def text(self, tokens: list[int]) -> str:
        """The text of tokens, times left out."""
        return str(self._tokenizer.decode([token for token in tokens if self.is_text(token)]))

    def words(self, tokens: Sequence[tuple[int, float, float]], language: str | None) -> list[Word]:
        """Tokens of text, each with its start and its end, as words with the punctuation that belongs to them.

        language: its English name; some write no spaces.
        """
        from transformers.models.whisper.tokenization_whisper import _combine_tokens_into_words

        ids = [token for token, _, _ in tokens]
        words, _, places = _combine_tokens_into_words(self._tokenizer, ids, language or "english")
        return [
            Word(word.strip(), tokens[place[0]][1], tokens[place[-1]][2])
            for word, place in zip(words, places, strict=True)
            if word.strip()
        ]

    def is_text(self, token: int) -> bool:
        """Whether a token is neither a time nor an order to the model."""
        return token < self.times and token not in self._special

    def _id(self, token: str) -> int:
        found = self._tokenizer.convert_tokens_to_ids(token)
        if found is None or found == self._tokenizer.unk_token_id:
            raise RequestFailed("load_failed", f"The model's tokenizer has no token {token!r}.", param="model")
        return int(found)
