"""Which models are told apart, since their vectors cannot be compared."""

from __future__ import annotations

from typing import Any

import llamafarm
import pytest
from llamafarm_rag.config.embedders import EntryEmbedder
from llamafarm_rag.embedding.identity import model_identity
from pydantic import BaseModel


class Block(BaseModel):
    revision: str | None = None
    quantization: str = "none"
    dtype: str = "auto"


class Entry(llamafarm.ModelEntry):
    transformers: Block = Block()


def identity(config: Any = None, **fields: Any) -> str:
    strategy = EntryEmbedder(name="s", type="ModelEmbedder", config={"model": "e", **(config or {})})
    return model_identity(Entry(**{"name": "e", "provider": "universal", "model": "org/m", **fields}), strategy)


def test_a_model_is_called_by_its_provider_name_and_revision():
    assert identity() == "universal:org/m"
    assert identity(transformers={"revision": "v2"}) == "universal:org/m@v2"


@pytest.mark.parametrize(
    "fields",
    [
        {"transformers": {"quantization": "int4"}},
        {"model_api_parameters": {"dimensions": 256}},
        {"extra_body": {"pooling": "mean"}},
        {"config": {"prompts": {"passage": "a: "}}},
        {"config": {"input_types": {"query": "q"}}},
    ],
)
def test_what_makes_other_vectors_makes_another_model(fields):
    assert identity(**fields).startswith("universal:org/m#")
    assert identity(**fields) == identity(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "other"},
        {"base_url": "http://elsewhere/v1"},
        {"api_key": "secret"},
        {"timeouts": {"connect": 1}},
        {"transformers": {"dtype": "fp16"}},
        {"config": {"batch_size": 8, "dimension": 384}},
    ],
)
def test_where_and_how_it_runs_does_not(fields):
    assert identity(**fields) == identity()
