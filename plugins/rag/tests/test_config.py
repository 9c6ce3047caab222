"""The sections `rag` and `datasets`, as the document of the product writes them and as users get them wrong."""

from __future__ import annotations

from pathlib import Path

import llamafarm
import pytest
from llamafarm.errors import ConfigError, UsageError
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
