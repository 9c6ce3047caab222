"""Answers from documents: `lf init --rag`, a folder that is read, questions, and OpenAI's own client."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from commands import BOUND, Running, Served, wait_until
from farms import Farm

ASKED = [{"role": "user", "content": "When are the cows milked?"}]
MILKED = "The cows are milked at five in the morning and at four in the afternoon. [1]"
COWS = "# Cows\n\nThe cows are milked at five in the morning and at four in the afternoon.\n"
PIGS = "# Pigs\n\nPigs are fed with barley and with turnips.\n"
STRATEGIES = """
      retrieval_strategies:
        - {name: one, type: HybridUniversalStrategy, config: {top_k: 1}}

datasets:
  - name: guarded
    sources: [vets]
    handler: guard
"""
GUARD = """
handlers:
  guard:
    after: [{check: emails}]
"""


@pytest.fixture(scope="module")
def library(shared: Farm, tmp_path_factory: pytest.TempPathFactory) -> Farm:
    """A project of `lf init --rag`, beside the shared runtime, that has read a folder."""
    made = Farm(tmp_path_factory.mktemp("library"), dict(shared.environ))
    begun = made.lf("init", "--rag")
    assert begun.returncode == 0, begun.stderr
    config = (made.folder / "llamafarm.yaml").read_text()
    made.write(config.replace("\ndatasets:\n", STRATEGIES).replace("\nhandlers:\n", GUARD))
    docs = made.folder / "docs"
    docs.mkdir()
    (docs / "cows.md").write_text(COWS)
    (docs / "pigs.md").write_text(PIGS)
    (made.folder / "vets").mkdir()
    (made.folder / "vets" / "vet.md").write_text("# Vet\n\nThe vet is reached at vet@example.com by day.\n")
    added = made.lf("datasets", "add", "docs/", "--dataset", "documents")
    assert added.returncode == 0, added.stderr
    assert added.stdout.startswith("documents: 2 added; 2 chunks in ")
    assert added.stderr == ""
    return made


@pytest.fixture(scope="module")
def client(library: Farm) -> Iterator[openai.OpenAI]:
    with (
        Served(library) as root,
        openai.OpenAI(base_url=f"{root}/v1", api_key="none", max_retries=0, timeout=BOUND) as made,
    ):
        yield made


def test_from_nothing_a_chat_answers_with_marks_and_tells_its_sources(library: Farm) -> None:
    told = library.lf("chat", "When are the cows milked?")
    assert told.returncode == 0, told.stderr
    assert MILKED in told.stdout
    assert told.stderr.splitlines()[-1] == "[1] docs/cows.md, Cows"


def test_a_process_that_is_killed_leaves_nothing_out_and_nothing_doubled(library: Farm) -> None:
    folder = library.folder / "docs" / "gates"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number}.md").write_text(f"Gate {number} is shut.\n")
    with Running(library.start("datasets", "process", "documents")) as running:
        wait_until(lambda: list(library.folder.glob("data/rag/*/main/holder.json")), "it has opened the database")
        running.process.send_signal(signal.SIGKILL)
        assert running.end() == -signal.SIGKILL
    processed = library.lf("datasets", "process", "documents", "--json")
    assert processed.returncode == 0, processed.stderr
    [report] = json.loads(processed.stdout)
    assert [(row["outcome"] in ("added", "unchanged"), row["chunks"]) for row in report["rows"]] == [(True, 1)] * 32


def test_the_official_client_gets_sources_with_a_whole_answer_and_in_the_last_chunk_of_a_stream(
    client: openai.OpenAI,
) -> None:
    ask: dict[str, Any] = {"model": "demo", "messages": ASKED}
    whole = client.chat.completions.create(**ask)
    assert MILKED in (whole.choices[0].message.content or "")
    assert [source["file"] for source in sources_of(whole)] == ["docs/cows.md"]  # as the strategy says

    *chunks, last = client.chat.completions.create(**ask, stream=True, extra_body={"rag_top_k": 2})
    assert MILKED in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    first, second = sources_of(last)
    assert (first["number"], first["file"], first["cited"]) == (1, "docs/cows.md", True)
    assert (second["number"], second["cited"]) == (2, False)


def sources_of(answer: Any) -> list[dict[str, Any]]:
    sources: list[dict[str, Any]] = answer.model_extra["sources"]
    return sources


def test_a_name_that_is_not_there_is_an_error_and_never_an_answer_without_documents(client: openai.OpenAI) -> None:
    for field, code in (("database", "database_not_found"), ("dataset", "dataset_not_found")):
        with pytest.raises(openai.NotFoundError, match="'nowhere'") as raised:
            client.chat.completions.create(model="demo", messages=ASKED, extra_body={field: "nowhere"})
        assert (raised.value.code, raised.value.param) == (code, field)


def test_a_dataset_brings_its_own_handlers(client: openai.OpenAI) -> None:
    processed: Any = client.post("/datasets/guarded/process", cast_to=object)
    assert processed["data"][0]["totals"]["added"] == 1
    question: Any = [{"role": "user", "content": "Where is the vet reached?"}]
    answers = {
        dataset: client.chat.completions.create(model="demo", messages=question, extra_body={"dataset": dataset})
        for dataset in ("guarded", None)
    }
    said = {dataset: answer.choices[0].message.content for dataset, answer in answers.items()}
    assert said["guarded"] == "The vet is reached at [e-mail] by day. [1]"
    assert said[None] == "The vet is reached at vet@example.com by day. [1]"


def test_commands_and_a_server_use_one_database_at_once(library: Farm, client: openai.OpenAI) -> None:
    assert sources_of(client.chat.completions.create(model="demo", messages=ASKED))
    (library.folder / "docs" / "hens.md").write_text("# Hens\n\nHens lay eggs at dawn.\n")
    processed = library.lf("datasets", "process", "documents")
    assert processed.stdout.startswith("documents: 1 added, "), processed.stderr
    question: Any = [{"role": "user", "content": "When do hens lay eggs?"}]
    answer = client.chat.completions.create(model="demo", messages=question)
    assert [source["file"] for source in sources_of(answer) if source["cited"]] == ["docs/hens.md"]
