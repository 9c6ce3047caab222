"""What an embedding strategy asks of a model entry, and what becomes of the answers."""

from __future__ import annotations

import asyncio

import llamafarm
import numpy as np
import pytest
from llamafarm.errors import InvalidRequest, RateLimited, UpstreamError
from llamafarm.wire import EMBEDDINGS
from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.embedding.asking import AT_ONCE, ModelEmbedder
from llamafarm_rag.embedding.asks import CountsTexts, DescribesModels
from llamafarm_rag.errors import DimensionMismatch

pytestmark = pytest.mark.anyio


class Models:
    """Models of a project: each text becomes its length and 1; the errors of `script` come first."""

    def __init__(self, *script, refused=(), dimension=2):
        self.script = list(script)
        self.refused = refused
        self.dimension = dimension
        self.requests = []
        self.under_way = self.most = 0

    async def ask(self, operation, request, *, model=None):
        assert operation is EMBEDDINGS
        self.requests.append(request)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if self.script:
            raise self.script.pop(0)
        for field in self.refused:
            if field in request:
                raise InvalidRequest("What is that?", param=field)
        tail = [1.0] * (self.dimension - 1)
        rows = [[float(len(text)), *tail] for text in request["input"]]
        return {"data": [{"index": at, "embedding": row} for at, row in enumerate(rows)]}


class Runtimes(Models):
    """Models whose runtime counts tokens and says how long texts may be."""

    async def count_tokens(self, texts, *, model=None):
        return [len(text.split()) for text in texts]

    async def describe(self, model=None):
        return llamafarm.ModelInfo("m", context_length=256)


def embedder(models, provider="openai", **config):
    strategy = {"name": "small", "type": "ModelEmbedder", "config": {"model": "embedder", **config}}
    database = DatabaseOptions(name="notes", type="ChromaStore", embedding_strategies=[strategy])
    return ModelEmbedder(models, llamafarm.ModelEntry(name="embedder", provider=provider, model="m"), database)


async def test_many_texts_are_asked_for_in_batches_some_at_once_and_come_in_their_order():
    models = Models()
    texts = ["x" * size for size in range(1, 22)]
    rows = await embedder(models, batch_size=2).vectors(texts, "passage")
    assert [len(request["input"]) for request in models.requests] == [2] * 10 + [1]
    assert models.most == AT_ONCE
    assert np.allclose(rows[:, 0] / rows[:, 1], range(1, 22))


async def test_no_texts_are_no_requests():
    models = Models()
    assert len(await embedder(models).vectors([], "query")) == 0
    assert models.requests == []


async def test_the_universal_runtime_is_told_what_the_texts_are():
    models = Models()
    of_runtime = embedder(models, "universal")
    await of_runtime.vectors(["a"], "query")
    await of_runtime.vectors(["a"], "passage")
    assert [request["input_type"] for request in models.requests] == ["query", "document"]


async def test_others_are_told_what_the_strategy_says_and_nothing_else():
    models = Models()
    await embedder(models).vectors(["a"], "query")
    await embedder(models, input_types={"query": "search_query"}).vectors(["a"], "query")
    assert [request.get("input_type") for request in models.requests] == [None, "search_query"]


async def test_prompts_of_the_strategy_stand_before_the_texts_in_place_of_the_runtimes_own():
    models = Models()
    prompted = embedder(models, "universal", prompts={"query": "search_query: "})
    await prompted.vectors(["a"], "query")
    await prompted.vectors(["a"], "passage")
    assert [request["input"] for request in models.requests] == [["search_query: a"], ["a"]]
    assert all("input_type" not in request for request in models.requests)


async def test_a_field_that_the_runtime_refuses_is_sent_no_more():
    models = Models(refused=["encoding_format", "input_type"])
    asked = embedder(models, "universal")
    await asked.vectors(["a"], "query")
    await asked.vectors(["a"], "query")
    assert [request.keys() - {"input"} for request in models.requests] == [
        {"encoding_format", "input_type"},
        {"input_type"},
        set(),
        set(),
    ]


async def test_any_other_refusal_is_the_callers():
    with pytest.raises(InvalidRequest, match="too long"):
        await embedder(Models(InvalidRequest("too long", param="input"))).vectors(["a"], "query")


async def test_a_runtime_that_is_busy_is_asked_again():
    assert len(await embedder(Models(RateLimited("later", retry_after=0))).vectors(["a"], "query")) == 1


async def test_another_length_than_was_said_says_how_to_go_on():
    with pytest.raises(DimensionMismatch, match=r"(?s)have 768 numbers; .* have 2\..*`lf rag rebuild notes`"):
        await embedder(Models(), dimension=768).vectors(["a"], "passage")


async def test_another_length_than_before_is_another_model():
    models = Models()
    asked = embedder(models)
    await asked.vectors(["a"], "passage")
    models.dimension = 3
    with pytest.raises(DimensionMismatch, match=r"(?s)of 3 numbers, and of 2 before.*lf rag rebuild notes"):
        await asked.vectors(["a"], "passage")


async def test_messages_name_the_model():
    models = Models()
    models.ask = lambda *_, **__: asyncio.sleep(0, {"data": []})
    with pytest.raises(UpstreamError, match=r"The embedding model 'embedder' \(m\) answered with 0 vectors"):
        await embedder(models).vectors(["a"], "passage")


async def test_its_identity_asks_for_one_vector_where_none_has_come_yet():
    models = Models()
    asked = embedder(models)
    identity = await asked.identity()
    assert (identity.strategy, identity.model, identity.dimension) == ("small", "openai:m", 2)
    assert await asked.identity() == identity
    assert len(models.requests) == 1


async def test_tokens_are_counted_by_the_runtime_or_estimated():
    texts = ["two words", ""]
    assert await embedder(Runtimes()).count_tokens(texts) == [2, 0]
    assert await embedder(Models()).count_tokens(texts) == [3, 0]


async def test_a_text_may_be_as_long_as_the_model_reads_beside_prompts():
    assert await embedder(Runtimes()).longest() == 244
    assert await embedder(Runtimes(), prompts={"passage": "a farm: "}).longest() == 242
    assert await embedder(Models()).longest() is None


@pytest.mark.parametrize("asked", [llamafarm.Farm, llamafarm.Turn])
async def test_farms_and_turns_count_texts_and_describe_models(asked):
    assert issubclass(asked, CountsTexts)
    assert issubclass(asked, DescribesModels)
