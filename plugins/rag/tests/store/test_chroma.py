"""Chroma keeps the contract of stores, on disk and at a server, and says what is wrong with it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import chromadb
import numpy as np
import pytest
from chroma_process import chroma_process
from chromadb.config import Settings
from llamafarm_rag.errors import DatabaseError, StoreDamaged
from llamafarm_rag.store.base import Store
from llamafarm_rag.store.chroma import chroma_on_disk
from llamafarm_rag.store.chroma_config import CHROMA, ChromaConfig, open_chroma
from llamafarm_rag.store.chroma_files import IndexFiles
from llamafarm_rag.testing import StoreContract
from llamafarm_rag.testing.store_contract import ANN, VECTORS


@pytest.fixture(scope="module")
def port(tmp_path_factory) -> Iterator[int]:
    with chroma_process(tmp_path_factory.mktemp("server") / "chroma") as port:
        yield port


class TestChromaOnDisk(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "chroma"

    def open(self) -> Store:
        return open_chroma(ChromaConfig(), self.folder, "notes")


class TestChromaServer(StoreContract):
    @pytest.fixture(autouse=True)
    def _collection(self, port: int, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.config = ChromaConfig(host="127.0.0.1", port=port, collection_name=f"c-{uuid.uuid4().hex}")

    def open(self) -> Store:
        return open_chroma(self.config, self.folder, "notes")


def test_a_server_is_shared_and_a_folder_is_not():
    assert CHROMA.is_shared(ChromaConfig(host="chroma.local"))
    assert not CHROMA.is_shared(ChromaConfig())


@pytest.mark.parametrize("name", ["a", "ab", "notes_", "notes-", "notes"])
def test_every_name_of_a_database_names_a_collection(tmp_path, name):
    store = open_chroma(ChromaConfig(), tmp_path / "chroma", name)
    store.add([ANN], VECTORS[:1])
    store.close()


def test_a_collection_that_another_client_makes_anew_is_found_again(port, tmp_path):
    config = ChromaConfig(host="127.0.0.1", port=port, collection_name=f"c-{uuid.uuid4().hex}")
    ours, theirs = open_chroma(config, tmp_path, "notes"), open_chroma(config, tmp_path, "notes")
    ours.add([ANN], VECTORS[:1])
    theirs.clear()
    assert ours.count() == 0
    ours.add([ANN], VECTORS[:1, :2])
    assert theirs.get(["ann"]) == [ANN]
    ours.close()
    theirs.close()


def test_rows_and_measures_of_other_programs_are_told(tmp_path):
    client = chromadb.PersistentClient(tmp_path, settings=Settings(anonymized_telemetry=False))
    rows = client.create_collection("rows", embedding_function=None, configuration={"hnsw": {"space": "cosine"}})
    rows.add(ids=["x"], embeddings=VECTORS[:1], documents=["text"])
    client.create_collection("measure", embedding_function=None, configuration={"hnsw": {"space": "l2"}})
    client.close()
    IndexFiles(tmp_path).note()
    store = chroma_on_disk(tmp_path, "rows")
    with pytest.raises(DatabaseError, match=r"(?s)'x' was not written by LlamaFarm.*collection_name"):
        store.nearest(VECTORS[0], 1, None)
    store.close()
    with pytest.raises(DatabaseError, match=r"(?s)measures 'l2'.*collection_name"):
        chroma_on_disk(tmp_path, "measure")


def test_a_server_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DatabaseError, match=r"(?s)Chroma server at 127.0.0.1:1 cannot be reached.*chroma run"):
        open_chroma(ChromaConfig(host="127.0.0.1", port=1), tmp_path, "notes")


def test_a_server_that_goes_away_is_told(tmp_path):
    with chroma_process(tmp_path / "chroma") as port:
        store = open_chroma(ChromaConfig(host="127.0.0.1", port=port), tmp_path, "notes")
    with pytest.raises(DatabaseError, match="cannot be reached"):
        store.count()
    store.close()


def test_a_damaged_file_is_told_and_stays(tmp_path):
    store = chroma_on_disk(tmp_path / "chroma", "notes")
    store.add([ANN], VECTORS[:1])
    store.close()
    file = tmp_path / "chroma" / "chroma.sqlite3"
    file.write_bytes(b"no database at all " * 1000)
    with pytest.raises(StoreDamaged, match="rag rebuild"):
        chroma_on_disk(tmp_path / "chroma", "notes")
    assert file.read_bytes().startswith(b"no database")


def test_an_index_that_was_not_written_to_its_end_is_not_opened(tmp_path):
    store = chroma_on_disk(tmp_path / "chroma", "notes", sync_threshold=10)
    rows = [ANN.__class__(f"p{number}", "t", "f", "d", number, 0, 1) for number in range(40)]
    store.add(rows, np.eye(40, dtype=np.float32))
    store.close()
    chroma_on_disk(tmp_path / "chroma", "notes").close()
    (index,) = (tmp_path / "chroma").glob("*/data_level0.bin")
    with index.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(StoreDamaged, match="not written to its end"):
        chroma_on_disk(tmp_path / "chroma", "notes")


def test_a_closed_store_says_so(tmp_path):
    store = chroma_on_disk(tmp_path / "chroma", "notes")
    store.close()
    with pytest.raises(DatabaseError, match="was closed"):
        store.count()
