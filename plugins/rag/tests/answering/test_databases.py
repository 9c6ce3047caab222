"""The handler over real parts: Chroma on disk, MiniLM, and the demonstration model, all of one runtime."""

from __future__ import annotations

from contextlib import asynccontextmanager

import llamafarm
import pytest
from llamafarm.errors import LlamaFarmError
from llamafarm.wire import CHAT
from llamafarm_rag.config.project import database_of, dataset_of
from llamafarm_rag.database.opening import open_database
from llamafarm_rag.errors import DatabaseError
from llamafarm_rag.ingestion.processing import process
from runtime_process import MINILM

pytestmark = pytest.mark.anyio
DEMO = "package:llamafarm_universal/demo_model"
QUESTION = "On which port does the Universal Runtime listen?"
PORTS = """# Ports

The Universal Runtime listens on 127.0.0.1:11540. UNIVERSAL_RUNTIME_PORT, or else LF_RUNTIME_PORT, moves it to another
port.
"""
COWS = "Cows eat grass and hay, and sleep four hours a day.\n"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project folder with two datasets."""
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path / "data"))
    for name, text in (("guides/ports.md", PORTS), ("farm/cows.txt", COWS)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    return tmp_path


def write(folder, runtime_url, *, embedder="minilm", options="{}"):
    models = {"demo": DEMO, "minilm": MINILM, "other": MINILM}
    entries = [
        f'{{name: {name}, provider: universal, model: "{model}", base_url: "{runtime_url}"}}'
        for name, model in models.items()
    ]
    entries[0] = entries[0].replace("}", ", handler: rag, default: true}")
    entries[2] = entries[2].replace("}", ", transformers: {revision: main}}")
    file = folder / "llamafarm.yaml"
    file.write_text(f"""
runtime: {{models: [{", ".join(entries)}]}}
handlers: {{rag: {options}}}
rag:
  databases:
    - name: notes
      type: ChromaStore
      embedding_strategies: [{{name: e, type: ModelEmbedder, config: {{model: {embedder}}}}}]
datasets:
  - {{name: guides, sources: [guides]}}
  - {{name: farm, sources: [farm]}}
""")
    return file


@asynccontextmanager
async def farm_of(folder, runtime_url, **more):
    async with llamafarm.open(write(folder, runtime_url, **more)) as farm:
        yield farm


async def filled(folder, runtime_url):
    async with farm_of(folder, runtime_url) as farm:
        database = await open_database(farm.project, database_of(farm.project, None))
        try:
            for name in ("guides", "farm"):
                await process(farm.project, dataset_of(farm.project, name), database, farm)
        finally:
            await database.aclose()


async def asked(farm, question=QUESTION, **fields):
    reply = await farm.ask(CHAT, {"messages": [{"role": "user", "content": question}], "max_tokens": 80, **fields})
    try:
        return await reply.completion()
    finally:
        await reply.aclose()


async def test_an_answer_has_the_sources_that_the_real_parts_find(folder, runtime_url):
    """What so small a model says changes with the code of the frame: of it, only the marks are looked at."""
    await filled(folder, runtime_url)
    async with farm_of(folder, runtime_url, options="{verify: quote}") as farm:
        answer = await asked(farm)
        refused = await asked(farm, rag_score_threshold=0.99)
        of_the_farm = await asked(farm, "What do cows eat?", dataset="farm")
    text = answer["choices"][0]["message"]["content"]
    first, second = answer["sources"]
    assert (first["file"], first["heading"], second["file"]) == ("guides/ports.md", ["Ports"], "farm/cows.txt")
    assert PORTS[first["start"] : first["end"]] == first["text"]
    assert [row["cited"] for row in (first, second)] == [f"[{number}]" in text for number in (1, 2)]
    assert text
    assert refused["choices"][0]["message"]["content"] == "I cannot find an answer to that in the documents."
    assert (refused["sources"], refused["usage"]["total_tokens"]) == ([], 0)
    assert [row["file"] for row in of_the_farm["sources"]] == ["farm/cows.txt"]


async def test_what_the_handler_has_opened_is_free_again_when_it_is_closed(folder, runtime_url):
    await filled(folder, runtime_url)
    async with farm_of(folder, runtime_url) as farm:
        await asked(farm)
        database = await open_database(farm.project, database_of(farm.project, None))
        assert database.is_holder
        await database.aclose()
    async with farm_of(folder, runtime_url) as farm:
        assert len((await asked(farm))["sources"]) == 2


async def test_a_database_of_another_embedder_is_an_error_that_says_how_to_rebuild_it(folder, runtime_url):
    """The vectors are of one length, so that nothing else would tell."""
    await filled(folder, runtime_url)
    async with farm_of(folder, runtime_url, embedder="other") as farm:
        with pytest.raises(DatabaseError, match="has vectors of") as raised:
            await asked(farm)
    assert "lf rag rebuild notes" in raised.value.hint


async def test_an_empty_database_is_an_error_and_no_answer_without_documents(folder, runtime_url):
    async with farm_of(folder, runtime_url) as farm:
        with pytest.raises(LlamaFarmError) as raised:
            await asked(farm)
    assert raised.value.code == "database_empty"
