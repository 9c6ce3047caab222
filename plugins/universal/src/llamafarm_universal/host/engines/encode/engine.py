"""The embedding engine: texts or token ids to vectors, batched by tokens.

Equal inputs of a request are embedded once, so that their vectors are equal to the last bit. How a model pools its
tokens is said in `encoders.py`. Token ids are taken as they are: no special tokens are added to them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.engine import (
    Accepted,
    Embed,
    Emit,
    Finished,
    Limits,
    LoadedModel,
    LoadPlan,
    RequestFailed,
    Usage,
    Work,
    explained,
    refused,
)
from llamafarm_universal.host.engines.encode.encoders import Encoder, Ids, PooledEncoder, SentenceEncoder
from llamafarm_universal.host.models.loader import Weights, load_weights

if TYPE_CHECKING:
    from torch import Tensor

Key = tuple[int, ...]


@dataclass
class _Job:
    """One request. left: distinct inputs without a vector, the longest last."""

    request_id: str
    work: Embed
    emit: Emit
    inputs: list[Key]
    left: list[Key]
    vectors: dict[Key, bytes] = field(default_factory=dict)


class EncodeEngine:
    """Embeds, a batch in each step; small requests share a batch."""

    def __init__(self, encoder: Encoder, weights: Weights, limits: Limits) -> None:
        self._encoder = encoder
        self._weights = weights
        self._batch_tokens = limits.batch_step(weights.plan.device)
        self._max_jobs = limits.max_sequences + limits.max_waiting
        self._jobs: deque[_Job] = deque()
        self.model = _describe(weights, encoder)

    @classmethod
    def load(cls, plan: LoadPlan) -> EncodeEngine:
        """Read the weights. Raises RequestFailed."""
        from transformers import AutoModel

        if (plan.folder / "modules.json").is_file():
            sentence, weights = SentenceEncoder.load(plan)
            return cls(sentence, weights, plan.limits)
        return cls.sharing(load_weights(plan, AutoModel), plan.limits)

    @classmethod
    def sharing(cls, weights: Weights, limits: Limits) -> EncodeEngine:
        """Embed with weights that another engine has loaded, or that are loaded already."""
        return cls(PooledEncoder(weights, "last" if _is_decoder(weights.module) else "mean"), weights, limits)

    def prepare(self, work: Work) -> list[Key]:
        """The token ids of each input. Raises RequestFailed for one that is empty or too long."""
        assert isinstance(work, Embed)
        self._check_dimensions(work.dimensions)
        inputs = [tuple(ids) for ids in self._tokenize(work.inputs)]
        self._check_inputs(inputs)
        return inputs

    def submit(self, request_id: str, work: Work, prepared: list[Key], emit: Emit) -> None:
        assert isinstance(work, Embed)
        if len(self._jobs) >= self._max_jobs:
            raise RequestFailed("busy", "Too many requests wait for this model.", hint="Ask again in a moment.")
        self._jobs.append(_Job(request_id, work, emit, prepared, sorted(set(prepared), key=len)))
        emit(Accepted(request_id, sum(map(len, prepared)), self.model))

    def cancel(self, request_id: str) -> None:
        self._jobs = deque(job for job in self._jobs if job.request_id != request_id)

    def step(self) -> bool:
        if not self._jobs:
            return False
        batch = self._next_batch()
        try:
            self._embed(batch)
        except Exception as error:  # noqa: BLE001 - a batch that fails never ends the host
            self._fail({job.request_id: job for job, _ in batch}, error)
        self._jobs.rotate(-1)
        return bool(self._jobs)

    def close(self) -> None:
        self._jobs.clear()
        del self._encoder, self._weights

    def _next_batch(self) -> list[tuple[_Job, Key]]:
        """Inputs of all jobs in turn, up to the budget; at least one. Each counts as long as the longest."""
        batch: list[tuple[_Job, Key]] = []
        longest = 0
        jobs = deque(self._jobs)
        while jobs:
            job = jobs.popleft()
            width = max(longest, len(job.left[-1]))
            if batch and width * (len(batch) + 1) > self._batch_tokens:
                continue
            longest = width
            batch.append((job, job.left.pop()))
            if job.left:
                jobs.append(job)
        return batch

    def _embed(self, batch: list[tuple[_Job, Key]]) -> None:
        distinct = sorted({key for _, key in batch}, key=len)
        rows = dict(zip(distinct, self._encoder.encode([list(key) for key in distinct]), strict=True))
        for job, key in batch:
            job.vectors[key] = _to_bytes(_cut(rows[key], job.work.dimensions))
        for job in [job for job in self._jobs if len(job.vectors) == len(set(job.inputs))]:
            self._finish(job)

    def _finish(self, job: _Job) -> None:
        self._jobs.remove(job)
        vectors = tuple(job.vectors[key] for key in job.inputs)
        usage = Usage(prompt_tokens=sum(map(len, job.inputs)))
        job.emit(Finished(job.request_id, usage=usage, value=vectors))

    def _fail(self, jobs: dict[str, _Job], error: Exception) -> None:
        for request_id, job in jobs.items():
            self.cancel(request_id)
            job.emit(explained(error, "embedding").event(request_id))

    def _tokenize(self, inputs: tuple[str | Key, ...]) -> list[Ids]:
        """Token ids of all inputs, in order; all texts in one call, which fast tokenizers spread over threads."""
        texts = [item for item in inputs if isinstance(item, str)]
        tokenized = iter(self._encoder.tokenize(texts) if texts else [])
        return [next(tokenized) if isinstance(item, str) else list(item) for item in inputs]

    def _check_inputs(self, inputs: list[Key]) -> None:
        if not inputs:
            raise refused("There is nothing to embed: `input` is empty.", "input")
        limit = self._encoder.max_tokens
        for index, ids in enumerate(inputs):
            if not ids:
                raise refused(f"Input {index} is empty: it has no tokens.", "input")
            if limit is not None and len(ids) > limit:
                raise RequestFailed(
                    "context_length",
                    f"Input {index} has {len(ids):,} tokens; the model can take {limit:,}.",
                    hint="Split the text into shorter parts: cutting it silently would lose its end.",
                    param="input",
                )
            if not 0 <= min(ids) <= max(ids) < self._encoder.vocabulary:
                last = self._encoder.vocabulary - 1
                raise refused(f"Input {index} has a token that does not exist: this model's are 0 to {last}.", "input")

    def _check_dimensions(self, dimensions: int | None) -> None:
        if dimensions is not None and not 1 <= dimensions <= self._encoder.dimensions:
            raise refused(
                f"`dimensions` is {dimensions}; this model's vectors have {self._encoder.dimensions}.", "dimensions"
            )


def _cut(vector: Tensor, dimensions: int | None) -> Tensor:
    """The first `dimensions` numbers, at length 1 again."""
    if dimensions is None or dimensions == len(vector):
        return vector
    return torch.nn.functional.normalize(vector[:dimensions], dim=0)


def _to_bytes(vector: Tensor) -> bytes:
    data: bytes = vector.numpy().astype("<f4").tobytes()
    return data


def _is_decoder(module: Any) -> bool:
    """Whether each token sees only those before it."""
    config = module.config.get_text_config()
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as DECODERS
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as ENCODERS

    return bool(getattr(config, "is_decoder", False)) or (
        config.model_type in DECODERS and config.model_type not in ENCODERS
    )


def _describe(weights: Weights, encoder: Encoder) -> LoadedModel:
    plan = weights.plan
    return LoadedModel(
        ref=plan.ref,
        task="embedding",
        engine=plan.engine,
        device=plan.device,
        dtype=plan.dtype,
        parameters=weights.parameters,
        memory_bytes=weights.memory_bytes,
        operations=frozenset({"embed"}),
        context_length=encoder.max_tokens,
        dimensions=encoder.dimensions,
        features=frozenset({"embeddings"}),
    )
