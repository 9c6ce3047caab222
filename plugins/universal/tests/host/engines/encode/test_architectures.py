"""Each architecture gives what the plain library gives, alone and in a batch of texts of other lengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llamafarm_universal.engine import Embed, RequestFailed
from numpy.typing import NDArray

TEXTS = (
    "hello world",
    "the quick brown fox jumps over the lazy dog, and over the lazy dog again",
    "ada",
    "hello world",
)
TALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
ROBERTA = {**TALL, "max_position_embeddings": 514, "pad_token_id": 0, "type_vocab_size": 1}

ENCODERS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("BertModel", "BertConfig", TALL),
    "bert-mlm": ("BertForMaskedLM", "BertConfig", TALL),
    "roberta": ("RobertaModel", "RobertaConfig", ROBERTA),
    "xlm-roberta": ("XLMRobertaModel", "XLMRobertaConfig", ROBERTA),
    "mpnet": ("MPNetModel", "MPNetConfig", {**TALL, "max_position_embeddings": 514}),
    "modernbert": ("ModernBertModel", "ModernBertConfig", {**TALL, "pad_token_id": 0, "global_attn_every_n_layers": 2}),
    "distilbert": ("DistilBertModel", "DistilBertConfig", {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}),
    "deberta-v2": (
        "DebertaV2Model",
        "DebertaV2Config",
        {**TALL, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False},
    ),
    "nomic-bert": ("NomicBertModel", "NomicBertConfig", TALL),
    "t5": ("T5EncoderModel", "T5Config", {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}),
}
"""Pooled by the mean: model class, configuration class, and its settings."""

DECODERS = {
    "qwen3": ("Qwen3Model", "Qwen3Config", {**TALL, "num_key_value_heads": 1, "head_dim": 16}),
    "llama": ("LlamaModel", "LlamaConfig", {**TALL, "num_key_value_heads": 2}),
}
"""Pooled by the last token."""


def build(make: Callable[..., Path], name: str, vocabulary: int) -> Path:
    import transformers

    model, config, settings = {**ENCODERS, **DECODERS}[name]
    settings = {**settings, "vocab_size": vocabulary}
    return make(name, getattr(transformers, model), getattr(transformers, config)(**settings))


def expected(folder: Path, texts: tuple[str, ...], pooling: str) -> list[NDArray[np.float32]]:
    """What the library says of each text by itself."""
    import torch
    import transformers

    encodes_only = "T5" in (folder / "config.json").read_text()
    kind = transformers.AutoModelForTextEncoding if encodes_only else transformers.AutoModel
    model, tokenizer = kind.from_pretrained(folder), transformers.AutoTokenizer.from_pretrained(folder)
    found = []
    for text in texts:
        encoded = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            states = model(input_ids=encoded.input_ids, attention_mask=encoded.attention_mask).last_hidden_state[0]
        vector = (states.mean(0) if pooling == "mean" else states[-1]).numpy()
        found.append(vector / np.linalg.norm(vector))
    return found


def vectors(value: tuple[bytes, ...]) -> list[NDArray[np.float32]]:
    return [np.frombuffer(data, "<f4") for data in value]


@pytest.mark.parametrize("name", [*ENCODERS, *DECODERS])
def test_vectors_are_those_of_the_library(
    make: Callable[..., Path], encoding: Callable[..., Any], word_tokenizer: Any, name: str
) -> None:
    folder = build(make, name, len(word_tokenizer))
    model = encoding(folder, model_type="embedding")
    wanted = expected(folder, TEXTS, "mean" if name in ENCODERS else "last")
    [alone] = model.values(Embed(TEXTS[:1]))
    mixed, others = model.values(Embed(TEXTS), Embed(TEXTS[1:3]))
    for vector, right in zip(
        [*vectors(alone), *vectors(mixed), *vectors(others)], [wanted[0], *wanted, *wanted[1:3]], strict=True
    ):
        assert np.allclose(vector, right, atol=1e-5), name


@pytest.mark.parametrize(
    ("name", "longest"),
    [("bert", 512), ("roberta", 513), ("xlm-roberta", 513), ("mpnet", 512), ("distilbert", 512)],
)
def test_a_text_is_read_up_to_the_last_position_that_the_model_has(
    make: Callable[..., Path], encoding: Callable[..., Any], word_tokenizer: Any, name: str, longest: int
) -> None:
    """RoBERTa and its kin count positions from behind that of the padding, so that some of the table are never used."""
    model = encoding(build(make, name, len(word_tokenizer)), model_type="embedding")
    assert model.engine.model.context_length == longest
    [value] = model.values(Embed((tuple([7] * longest),)))
    assert np.isfinite(vectors(value)[0]).all()
    with pytest.raises(RequestFailed, match=f"{longest + 1:,} tokens; the model can take {longest:,}"):
        model.engine.prepare(Embed((tuple([7] * (longest + 1)),)))
