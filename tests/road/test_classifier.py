"""The agent handler `classifier`: by embeddings and by a chat model, through `lf serve` and `lf eval`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from commands import BOUND
from farms import Farm

LABELS = ["billing", "delivery"]
LATE: Any = {"messages": [{"role": "user", "content": "My parcel should have come on Monday."}]}


@pytest.fixture
def client(api: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{api}/v1", api_key="none", max_retries=0, timeout=BOUND) as made:
        yield made


def test_a_text_gets_the_class_whose_description_is_nearest(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(**LATE, model="tickets")
    facts = (answer.model_extra or {})["llamafarm"]["classification"]
    assert answer.choices[0].message.content == facts["label"] == "delivery"
    assert sum(facts["scores"].values()) == pytest.approx(1)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 10


def test_a_chat_model_says_one_of_the_labels_streamed_too(client: openai.OpenAI) -> None:
    ask: Any = {**LATE, "model": "demo", "extra_body": {"handler": "classifier"}}
    answer = client.chat.completions.create(**ask)
    chunks = list(client.chat.completions.create(**ask, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == answer.choices[0].message.content
    assert text in LABELS
    facts = (chunks[-1].model_extra or {})["llamafarm"]["classification"]
    assert (facts["label"], list(facts["scores"])) == (text, LABELS)
    told = [score for score in facts["scores"].values() if score is not None]
    assert not told or facts["score"] == max(told), "where the model is sure of nothing, nothing is told"


def test_a_table_is_evaluated(shared: Farm) -> None:
    rows = [
        '"Moo, I was charged twice.",billing',
        "Where is my parcel?,delivery",
        "The bill is wrong.,delivery",
        ",billing",
    ]
    (shared.folder / "tickets.csv").write_text("\n".join(["text,label", *rows]))
    done = shared.lf("eval", "classifier", "tickets.csv", "--model", "tickets", "--json", "--picture", "matrix.svg")
    assert done.returncode == 1, "a row has failed"
    figures = json.loads(done.stdout)
    assert figures["confusion"] == [[1, 0], [1, 1]]
    assert (figures["rows"], figures["failed"], figures["accuracy"]) == (3, 1, pytest.approx(2 / 3))
    assert "has no text" in figures["answers"][-1]["error"]
    assert (shared.folder / "matrix.svg").read_text().startswith("<svg")
