"""The sections `rag` and `datasets`, as the document of the product writes them and as users get them wrong."""

from __future__ import annotations

from pathlib import Path

import llamafarm
import pytest
from llamafarm.errors import ConfigError, UsageError
from llamafarm_rag.config.entries import entry_name
from llamafarm_rag.config.project import database_of, dataset_of, rag_of, strategy_of

DOCUMENTED = """
runtime:
  models:
    - name: chat
      provider: universal
      model: microsoft/phi-2
      base_url: http://127.0.0.1:11540

    - name: embedder
      provider: universal
      model: nomic-ai/nomic-embed-text-v1.5
      base_url: http://127.0.0.1:11540
      transformers:
        model_type: embedding

rag:
  databases:
    - name: main_database
      type: ChromaStore
      embedding_strategies:
        - name: default_embeddings
          type: UniversalEmbedder
          config:
            model: nomic-ai/nomic-embed-text-v1.5
            dimension: 768
            batch_size: 16
"""
BARE = """
rag:
  databases:
    - name: notes
      type: ChromaStore
      embedding_strategies: [{name: small, type: UniversalEmbedder, config: {model: org/small}}]
"""


def project(folder: Path, text: str) -> llamafarm.Project:
    file = folder / "llamafarm.yaml"
    file.write_text(text)
    with llamafarm.open(file) as farm:
        return farm.project


def test_the_documented_block_loads_as_it_is_written(tmp_path):
    section = rag_of(project(tmp_path, DOCUMENTED))
    assert section.database.name == "main_database"
    assert section.database.embedding.config.dimension == 768
    assert section.database.retrieval.type == "HybridUniversalStrategy"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: notes", "nam: notes", "name"),
        ("type: UniversalEmbedder", "type: UniversalEmbeder", "UniversalEmbedder"),
        ("name: notes", "name: notes\n      default_embedding_strategy: big", "there are: small"),
        ("name: notes", "name: notes\n      default_retrieval_strategy: fast", "there are: hybrid"),
        ("databases:", "default_database: other\n  databases:", "there are: notes"),
        ("model: org/small", "model: org/small, dimension: many", "dimension"),
    ],
)
def test_mistakes_are_told_with_what_there_is(tmp_path, old, new, said):
    with pytest.raises(ConfigError, match=said):
        project(tmp_path, BARE.replace(old, new))


def test_an_embedder_that_is_an_entry_of_the_file_already_is_that_entry(tmp_path):
    found = project(tmp_path, DOCUMENTED)
    assert [entry.name for entry in found.models] == ["chat", "embedder"]
    assert entry_name(database_of(found, None), database_of(found, None).embedding, found) == "embedder"


def test_an_embedder_that_is_named_by_its_model_alone_becomes_an_entry(tmp_path):
    found = project(tmp_path, BARE)
    name = entry_name(database_of(found, None), database_of(found, None).embedding, found)
    entry = found.entry(name)
    assert (name, entry.provider, entry.model) == ("notes:small", "universal", "org/small")
    assert entry.serves(llamafarm.wire.EMBEDDINGS)


def test_it_is_asked_where_the_other_models_of_its_provider_are(tmp_path):
    chat = "runtime: {models: [{name: c, provider: universal, model: m, base_url: 'http://127.0.0.1:9'}]}"
    assert project(tmp_path, BARE + chat).entry("notes:small").base_url == "http://127.0.0.1:9/v1"


def test_an_embedder_that_is_an_entry_must_be_there_and_embed(tmp_path):
    text = BARE.replace("UniversalEmbedder", "ModelEmbedder")
    with pytest.raises(ConfigError, match=r"embedding_strategies\[0\].config.model: There is no model|has no models"):
        project(tmp_path, text)


@pytest.mark.parametrize(
    ("datasets", "said"),
    [
        ("[{name: a, database: other}]", r"datasets\[0\].database: there is no 'other'; there are: notes"),
        ("[{name: a, data_processing_strategy: x}]", "there is no 'x'; there are: default"),
        ("[{name: a}, {name: a}]", r"datasets\[1\].name: there is a dataset 'a' already"),
    ],
)
def test_datasets_name_what_there_is(tmp_path, datasets, said):
    with pytest.raises(ConfigError, match=said):
        project(tmp_path, f"{BARE}datasets: {datasets}")


def test_datasets_without_databases_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="needs the section `rag`"):
        project(tmp_path, "datasets: [{name: a}]")


def test_names_that_are_not_there_are_told_with_those_that_are(tmp_path):
    found = project(tmp_path, BARE)
    with pytest.raises(UsageError, match=r"(?s)no database 'note'.*mean notes.*There are: notes"):
        database_of(found, "note")
    with pytest.raises(UsageError, match=r"(?s)no retrieval strategy 'fast'.*There are: hybrid"):
        strategy_of(database_of(found, None), "fast")
    with pytest.raises(UsageError, match=r"(?s)no dataset 'x'.*There are: documents"):
        dataset_of(found, "x")


def test_a_project_without_the_section_says_how_to_get_one(tmp_path):
    with pytest.raises(UsageError, match="lf init --rag"):
        rag_of(project(tmp_path, "runtime: {models: []}"))
