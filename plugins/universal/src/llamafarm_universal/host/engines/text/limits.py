"""What one text model can take: its context, vocabulary, end tokens and its author's generation defaults."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llamafarm_universal.context_length import KEYS
from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.host.engines.text.context import Context
from llamafarm_universal.host.engines.text.multimodal.medium import MediaPrompt
from llamafarm_universal.host.models.loader import Weights
from llamafarm_universal.host.models.lora import Adapter

_UNBOUNDED_ANSWER = 4096  # tokens, of models that have no limit of their own


@dataclass(frozen=True)
class ModelLimits:
    """context_length: tokens of prompt and answer together; None: the model names no limit. cache_tokens: for how many
    the cache has room.

    start: the tokens that the answers of an encoder-decoder begin with; its prompts and answers have a context each.
    defaults: the model's generation_config.json.
    """

    context_length: int | None
    vocabulary: int
    end_tokens: frozenset[int]
    defaults: Mapping[str, Any]
    cache_tokens: int = sys.maxsize
    start: tuple[int, ...] = ()

    @classmethod
    def of(cls, weights: Weights, cache_tokens: int) -> ModelLimits:
        config = weights.module.config.get_text_config()
        defaults = _generation_defaults(weights)
        return cls(
            # T5 and its kin know distances only: they take as many tokens as there is memory for.
            context_length=None if hasattr(config, "relative_attention_num_buckets") else token_limit(weights.module),
            vocabulary=int(weights.module.get_input_embeddings().weight.shape[0]),
            end_tokens=_ids(
                defaults.get("eos_token_id"), getattr(config, "eos_token_id", None), weights.tokenizer.eos_token_id
            ),
            defaults=defaults,
            cache_tokens=cache_tokens,
            start=_start_of(weights.module),
        )

    def context(
        self, prompt: list[int], salt: str, media: MediaPrompt | None = None, adapter: Adapter | None = None
    ) -> Context:
        """The text before an answer. adapter: what it is read with; other texts share nothing with it then."""
        salt = f"{adapter.salt}, {salt}" if adapter is not None else salt
        if self.start:
            return Context(list(self.start), salt, tuple(prompt), media=media, adapter=adapter)
        return Context(list(prompt), salt, media=media, adapter=adapter)

    def admit(self, prompt: int, max_tokens: int | None, field: str) -> int:
        """How many tokens an answer may have to a prompt of so many, which came in that field of the request.

        Raises RequestFailed where prompt and answer do not fit the context.
        """
        if max_tokens is not None and max_tokens < 1:
            raise refused(f"`max_tokens` must be at least 1; it is {max_tokens}.", "max_tokens")
        if self.start:
            return self._admit_apart(prompt, max_tokens, field)
        limit = min(self.context_length or self.cache_tokens, self.cache_tokens)
        if prompt >= limit:
            raise RequestFailed(
                "context_length",
                f"The prompt has {prompt:,} tokens; {self._can_take(limit)}.",
                hint="Shorten the prompt, or ask a model with a longer context.",
                param=field,
            )
        if max_tokens is not None and prompt + max_tokens > limit:
            raise RequestFailed(
                "context_length",
                f"The prompt has {prompt:,} tokens and max_tokens asks for {max_tokens:,} more; "
                f"{self._can_take(limit)} together.",
                hint="Shorten the prompt, or lower max_tokens.",
                param="max_tokens",
            )
        left = limit - prompt
        return max_tokens or (left if self.context_length is not None else min(left, _UNBOUNDED_ANSWER))

    def _admit_apart(self, prompt: int, max_tokens: int | None, field: str) -> int:
        """As `admit`, where prompt and answer have a context each, and the cache together."""
        longest = self.context_length or self.cache_tokens
        answer = min(longest, self.cache_tokens - prompt) - len(self.start)
        if prompt > longest or answer < 1:
            limit = min(longest, self.cache_tokens - len(self.start) - 1)
            raise RequestFailed(
                "context_length",
                f"The prompt has {prompt:,} tokens; {self._can_take(limit)}.",
                hint="Shorten the prompt, or ask a model with a longer context.",
                param=field,
            )
        if max_tokens is not None and max_tokens > answer:
            raise RequestFailed(
                "context_length",
                f"max_tokens asks for {max_tokens:,}; the model can answer a prompt of {prompt:,} with {answer:,}.",
                hint="Lower max_tokens.",
                param="max_tokens",
            )
        return max_tokens or (answer if self.context_length is not None else min(answer, _UNBOUNDED_ANSWER))

    def _can_take(self, limit: int) -> str:
        if limit == self.context_length:
            return f"the model can take {limit:,}"
        return f"there is memory for {limit:,}, of the model's {self.context_length or 'any number'}"


def token_limit(module: Any) -> int | None:
    """The tokens that a model can take.

    Where positions are counted from behind that of the padding (RoBERTa, MPNet and their kin), the table of positions
    has as many rows more.
    """
    for name, part in module.named_modules():
        if name.endswith("position_embeddings") and getattr(part, "padding_idx", None) is not None:
            return int(part.num_embeddings - part.padding_idx - 1)
    return context_length(module.config.get_text_config())


def context_length(config: Any) -> int | None:
    """The tokens that a model can take, from its configuration."""
    values = [getattr(config, key, None) for key in KEYS]
    return next((value for value in values if isinstance(value, int) and value > 0), None)


def _start_of(module: Any) -> tuple[int, ...]:
    """The tokens that an encoder-decoder's answers begin with; none of any other model.

    Source: GenerationMixin._prepare_decoder_input_ids_for_generation, and ForcedBOSTokenLogitsProcessor.
    """
    if not module.config.is_encoder_decoder:
        return ()
    settings = module.generation_config
    first = settings.bos_token_id if settings.decoder_start_token_id is None else settings.decoder_start_token_id
    if first is None:
        raise RequestFailed(
            "load_failed",
            f"{type(module).__name__} does not say which token its answers begin with.",
            hint="Add `decoder_start_token_id` to its generation_config.json.",
        )
    forced = settings.forced_bos_token_id
    return (first,) if forced is None else (first, forced)


def _generation_defaults(weights: Weights) -> Mapping[str, Any]:
    path = weights.plan.folder / "generation_config.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _ids(*values: int | list[int] | None) -> frozenset[int]:
    lists = [value if isinstance(value, list) else [value] for value in values]
    return frozenset(token for ids in lists for token in ids if token is not None)
