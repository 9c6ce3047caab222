"""Files as passages, and by which names their rows are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from llamafarm_rag.config.processing import ProcessingStrategy
from llamafarm_rag.database.base import FileRecord
from llamafarm_rag.documents.document import Block, Document
from llamafarm_rag.embedding.estimate import estimated_tokens
from llamafarm_rag.errors import UnreadableFile
from llamafarm_rag.ingestion.changes import Work
from llamafarm_rag.ingestion.cutting import Cutter, cut_of
from llamafarm_rag.ingestion.files import SourceFile

pytestmark = pytest.mark.anyio

TEXT = "\n\n".join(f"Gate {number} stays shut when the cows are in the yard." for number in range(12))
SHORT = ProcessingStrategy(name="short", chunk_size=32, chunk_overlap=0)


class Texts:
    """Reads every file as one text. error: what reading raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def read(self, path, processing):
        if self.error:
            raise self.error
        return Document(TEXT, (Block(0, len(TEXT)),), metadata={"author": "Ann"})


class Estimating:
    """As much of an embedder as cutting needs."""

    async def count_tokens(self, texts):
        return estimated_tokens(texts)


def work(path="/farm/a.md", content="content"):
    return Work(SourceFile(Path(path), Path(path).name, len(TEXT)), content)


async def cut(file=None, dataset="docs", cut_hash="cut", reader=None):
    cutter = Cutter(dataset, SHORT, reader or Texts(), Estimating(), None)
    return await cutter.cut(file or work(), cut_hash)


async def test_passages_say_where_they_are_from():
    made = await cut()
    assert len(made.passages) > 3
    assert [passage.number for passage in made.passages] == list(range(len(made.passages)))
    for passage in made.passages:
        assert passage.text == TEXT[passage.start : passage.end]
        assert (passage.file, passage.dataset, passage.metadata) == ("a.md", "docs", {"author": "Ann"})
    assert made.bytes_of_passage * len(made.passages) == pytest.approx(len(TEXT))


async def test_what_is_embedded_of_a_passage_is_no_longer_than_it_may_be():
    assert max(estimated_tokens((await cut()).texts)) <= 32


async def test_the_same_file_makes_the_same_rows():
    ids = [passage.id for passage in (await cut()).passages]
    assert ids == [passage.id for passage in (await cut()).passages]
    assert len({*ids}) == len(ids)


@pytest.mark.parametrize(
    "other",
    [
        {"file": work(content="another")},
        {"file": work("/farm/b.md")},
        {"dataset": "others"},
        {"cut_hash": "another"},
    ],
)
async def test_everything_else_makes_others(other):
    ids = {passage.id for passage in (await cut()).passages}
    assert ids.isdisjoint(passage.id for passage in (await cut(**other)).passages)


async def test_what_was_known_of_it_before_makes_no_others():
    known = replace(work(), before=FileRecord("docs", "/farm/a.md", "a.md", "older", "cut", 1, 1, 0.0))
    assert [passage.id for passage in (await cut(known)).passages] == [passage.id for passage in (await cut()).passages]


async def test_a_file_that_cannot_be_read_is_told():
    with pytest.raises(UnreadableFile, match="broken"):
        await cut(reader=Texts(UnreadableFile("It is broken.")))


def test_how_files_are_cut_is_known_by_what_matters_to_it():
    assert cut_of(SHORT, "m") == cut_of(SHORT.model_copy(update={"name": "other", "description": "x"}), "m")
    assert cut_of(SHORT, "m") != cut_of(SHORT, "another model")
    assert cut_of(SHORT, "m") != cut_of(SHORT.model_copy(update={"chunk_size": 64}), "m")
