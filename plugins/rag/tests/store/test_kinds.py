"""Kinds of stores are found by name, and llamafarm.yaml is told what is wrong with one, at its line."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import llamafarm
import pytest
from llamafarm.errors import ConfigError, PluginError
from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.store import kinds
from llamafarm_rag.store.chroma_config import CHROMA, ChromaConfig
from memory_store import MEMORY, MemoryConfig

YAML = """
rag:
  databases:
    - name: notes
      type: ChromaStore
      config: {port: 8000}
      embedding_strategies: [{name: small, type: UniversalEmbedder, config: {model: org/small}}]
"""


class _Entry(importlib.metadata.EntryPoint):
    """An entry point of a distribution that is not installed."""

    dist = None


@pytest.fixture
def brought(monkeypatch) -> Iterator[list[importlib.metadata.EntryPoint]]:
    """Entry points that are installed beside our own."""
    ours = list(importlib.metadata.entry_points(group=kinds.GROUP))
    entries: list[importlib.metadata.EntryPoint] = []

    def entry_points(group: str, name: str | None = None) -> list[importlib.metadata.EntryPoint]:
        assert group == kinds.GROUP
        return [entry for entry in [*ours, *entries] if name in (None, entry.name)]

    monkeypatch.setattr(kinds, "entry_points", entry_points)
    kinds.installed.cache_clear()
    yield entries
    kinds.installed.cache_clear()


def project(folder: Path, text: str) -> llamafarm.Project:
    file = folder / "llamafarm.yaml"
    file.write_text(text)
    with llamafarm.open(file) as farm:
        return farm.project


def options(kind: str, **config) -> DatabaseOptions:
    strategy = {"name": "small", "type": "ModelEmbedder", "config": {"model": "embedder"}}
    return DatabaseOptions(name="notes", type=kind, config=config, embedding_strategies=[strategy])


def test_chroma_is_there():
    assert kinds.store_kind("ChromaStore") is CHROMA
    assert options("ChromaStore", host="db").store_config == ChromaConfig(host="db")


def test_a_kind_of_a_third_party_is_used_as_ours_is(brought):
    brought.append(_Entry("MemoryStore", "memory_store:MEMORY", kinds.GROUP))
    found = options("MemoryStore", limit=3)
    assert found.kind is MEMORY
    assert found.store_config == MemoryConfig(limit=3)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ChromaStore", "QdrantStore", r"(?s):5.*no installed plugin brings the store 'QdrantStore'.*ChromaStore"),
        ("ChromaStore", "ChromStore", r"(?s):5.*Did you mean ChromaStore"),
        ("port: 8000", "port: high", r"(?s):6.*databases\[?\.?0.*config.*port"),
        ("port: 8000", "prt: 8000", r"(?s):6.*prt"),
        ("port: 8000", "collection_name: a/b", r"(?s):6.*collection_name"),
    ],
)
def test_mistakes_are_told_at_their_line(tmp_path, old, new, said):
    with pytest.raises(ConfigError, match=said):
        project(tmp_path, YAML.replace(old, new))


@pytest.mark.parametrize(
    ("value", "said"),
    [("nowhere.at.all:STORE", "cannot be loaded: ModuleNotFoundError"), ("json:loads", "is no StoreSpec")],
)
def test_a_broken_kind_says_what_is_wrong_with_it(brought, value, said):
    brought.append(_Entry("OtherStore", value, kinds.GROUP))
    with pytest.raises(PluginError, match=said):
        kinds.store_kind("OtherStore")


def test_two_distributions_that_bring_one_name_are_told(brought):
    brought += [_Entry("OtherStore", value, kinds.GROUP) for value in ("one:A", "two:B")]
    with pytest.raises(PluginError, match="one:A and two:B both bring the store 'OtherStore'"):
        kinds.store_kind("OtherStore")
