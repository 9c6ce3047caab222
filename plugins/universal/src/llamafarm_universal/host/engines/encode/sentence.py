"""The texts of models in the sentence-transformers layout: with the author's prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llamafarm_universal.engine import InputType
from llamafarm_universal.host.engines.encode.rows import Row
from llamafarm_universal.host.engines.encode.tokens import Tokens

_NAMES: Mapping[InputType, tuple[str, ...]] = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""What authors call the prompt of each type of input. Source: sentence-transformers' encode_query, encode_document."""


class PlainTexts:
    """The texts of a model without prompts: queries and documents are alike to it."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def rows(self, texts: Sequence[str], *, input_type: InputType | None) -> list[Row]:  # noqa: ARG002
        return self._tokens.unchecked(self._tokens.encoded(texts)) if texts else []

    def check(self, rows: Sequence[Row], field: str) -> None:
        self._tokens.check(rows, field)


class SentenceTexts(PlainTexts):
    """The texts of a sentence-transformers model, as its own preprocessing makes rows of them."""

    def __init__(self, model: Any, tokens: Tokens) -> None:
        super().__init__(tokens)
        self._model = model

    def rows(self, texts: Sequence[str], *, input_type: InputType | None) -> list[Row]:
        if not texts:
            return []
        lists = {"common": {"return_tensors": None}, "text": {"padding": False, "truncation": False}}
        prompt = self._prompt(input_type)
        found = self._model.preprocess(list(texts), prompt=prompt, processing_kwargs=lists)
        length = found.get("prompt_length") or 0
        return [Row(tuple(ids), prompt=length) for ids in found["input_ids"]]

    def _prompt(self, input_type: InputType | None) -> str | None:
        prompts: Mapping[str, str] = self._model.prompts
        if input_type is None:
            return prompts.get(self._model.default_prompt_name) if self._model.default_prompt_name else None
        return next((prompts[name] for name in _NAMES[input_type] if name in prompts), None)
