"""How texts become vectors: three kinds of models behind one shape.

SentenceEncoder: the sentence-transformers layout (modules.json), with pooling, prompt and normalisation as the model's
author configured them. PooledEncoder: any other model. Encoders (BERT and its kin) are pooled by the mean over the
tokens of the attention mask; decoders by the last token, the only one that has seen the whole text. Both are then
normalised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch

from llamafarm_universal.device import torch_dtype
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.limits import context_length
from llamafarm_universal.host.models.loader import Weights, load_failure
from llamafarm_universal.messages.plan import LoadPlan

if TYPE_CHECKING:
    from torch import Tensor

Ids = list[int]


class Encoder(Protocol):
    """max_tokens: of one input. dimensions: of one vector."""

    max_tokens: int | None
    dimensions: int
    vocabulary: int

    def tokenize(self, texts: list[str]) -> list[Ids]:
        """Token ids of whole texts, never cut, with special tokens and the author's prompt."""
        ...

    def encode(self, batch: list[Ids]) -> Tensor:
        """float32 vectors [inputs, dimensions] on the processor."""
        ...


class SentenceEncoder:
    """A model in the sentence-transformers layout."""

    def __init__(self, model: Any, device: str) -> None:
        self._model = model
        self._device = device
        self._prompt = model.prompts.get(model.default_prompt_name) if model.default_prompt_name else None
        self.max_tokens: int | None = model.max_seq_length
        self.dimensions = int(model.get_embedding_dimension())
        self.vocabulary = len(model.tokenizer)

    @classmethod
    def load(cls, plan: LoadPlan) -> tuple[SentenceEncoder, Weights]:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.base.modules import Transformer

        try:
            model = SentenceTransformer(
                str(plan.folder),
                device=plan.device,
                trust_remote_code=plan.ref.settings.trust_remote_code,
                local_files_only=True,
                model_kwargs={"dtype": torch_dtype(plan.dtype), "use_safetensors": True},
            )
        except Exception as error:
            raise load_failure(plan, error) from error
        if not isinstance(model[0], Transformer):
            raise RequestFailed(
                "not_supported",
                f"`{plan.ref.id}` begins with a {type(model[0]).__name__}; only transformers embed here.",
                param="model",
            )
        model.eval().requires_grad_(False)
        return cls(model, plan.device), Weights(plan, model, model.tokenizer)

    def tokenize(self, texts: list[str]) -> list[Ids]:
        lists = {"common": {"return_tensors": None}, "text": {"padding": False, "truncation": False}}
        ids: list[Ids] = self._model.preprocess(texts, prompt=self._prompt, processing_kwargs=lists)["input_ids"]
        return ids

    def encode(self, batch: list[Ids]) -> Tensor:
        features = _padded(self._model.tokenizer, batch, self._device)
        if self._prompt:
            features["prompt_length"] = self._prompt_length()
        with torch.inference_mode():
            vectors: Tensor = self._model(features)["sentence_embedding"]
        return vectors.float().cpu()

    def _prompt_length(self) -> int:
        """Tokens of the prompt alone, for models whose pooling leaves it out."""
        ids: Ids = self._model.tokenizer(self._prompt, add_special_tokens=True)["input_ids"]
        ends = self._model.tokenizer.all_special_ids
        return len(ids) - (1 if ids and ids[-1] in ends else 0)


class PooledEncoder:
    """A plain transformers model."""

    def __init__(self, weights: Weights, pooling: Literal["mean", "last"]) -> None:
        self._weights = weights
        self._pooling = pooling
        config = weights.module.config.get_text_config()
        self.max_tokens = context_length(config)
        self.dimensions = int(config.hidden_size)
        self.vocabulary = int(weights.module.get_input_embeddings().weight.shape[0])

    def tokenize(self, texts: list[str]) -> list[Ids]:
        ids: list[Ids] = self._weights.tokenizer(texts, truncation=False, padding=False, verbose=False)["input_ids"]
        return ids

    def encode(self, batch: list[Ids]) -> Tensor:
        features = _padded(self._weights.tokenizer, batch, self._weights.plan.device)
        mask = features["attention_mask"]
        with torch.inference_mode():
            # The backbone, without the head that would turn each state into a whole vocabulary.
            states = self._weights.module.base_model(**features, return_dict=True).last_hidden_state.float()
            pooled = _mean(states, mask) if self._pooling == "mean" else _last(states, mask)
            return torch.nn.functional.normalize(pooled, dim=-1).cpu()


def _padded(tokenizer: Any, batch: list[Ids], device: str) -> dict[str, Any]:
    """input_ids and attention_mask [inputs, longest], padded on the right: a causal model then sees no padding."""
    longest = max(map(len, batch))
    filler = tokenizer.pad_token_id or 0
    ids = torch.tensor([item + [filler] * (longest - len(item)) for item in batch], device=device)
    lengths = torch.tensor([len(item) for item in batch], device=device)
    mask = (torch.arange(longest, device=device) < lengths[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask}


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    """[inputs, tokens, dimensions] and [inputs, tokens] to [inputs, dimensions]."""
    weights = mask[:, :, None].float()
    return (states * weights).sum(1) / weights.sum(1)


def _last(states: Tensor, mask: Tensor) -> Tensor:
    return states[torch.arange(len(states), device=states.device), mask.sum(1) - 1]
