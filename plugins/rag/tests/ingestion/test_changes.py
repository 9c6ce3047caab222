"""What has to be done, by what the files say and what the database says of them."""

from __future__ import annotations

import os
import shutil

import pytest
from llamafarm_rag.database.base import FileRecord
from llamafarm_rag.ingestion.changes import changes, content_of
from llamafarm_rag.ingestion.files import find_files
from llamafarm_rag.ingestion.sources import sources_of


@pytest.fixture
def docs(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.md").write_text(name)
    return folder


def found(folder, *sources):
    return find_files(sources_of(sources or ["docs"], folder), [folder], lambda path: path.suffix == ".md")


def records(docs, cut="cut"):
    """As they are after all files have been done."""
    return [
        FileRecord("d", str(file), f"docs/{file.name}", content_of(file), cut, 1, 7, 0.0)
        for file in sorted(docs.glob("*.md"))
    ]


def test_everything_is_new_to_an_empty_database(docs):
    todo = changes(found(docs.parent), [], "cut")
    assert [(work.file.shown, work.before) for work in todo.work] == [
        ("docs/a.md", None),
        ("docs/b.md", None),
        ("docs/c.md", None),
    ]
    assert (todo.removed, todo.rows) == ([], [])


def test_what_is_as_it_was_is_not_done_again(docs):
    todo = changes(found(docs.parent), records(docs), "cut")
    assert (todo.work, todo.removed) == ([], [])
    assert {(row.outcome, row.chunks) for row in todo.rows} == {("unchanged", 7)}


def test_another_content_is_seen_though_size_and_time_are_the_same(docs):
    before = records(docs)
    status = (docs / "b.md").stat()
    (docs / "b.md").write_text("x")
    os.utime(docs / "b.md", ns=(status.st_atime_ns, status.st_mtime_ns))
    (work,) = changes(found(docs.parent), before, "cut").work
    assert (work.file.shown, work.before) == ("docs/b.md", before[1])


def test_all_is_done_again_where_it_is_cut_or_embedded_otherwise(docs):
    todo = changes(found(docs.parent), records(docs, "as before"), "otherwise")
    assert len(todo.work) == 3
    assert all(work.before for work in todo.work)


def test_a_file_that_is_gone_is_removed(docs):
    before = records(docs)
    (docs / "b.md").unlink()
    todo = changes(found(docs.parent), before, "cut")
    assert (todo.work, todo.removed) == ([], [before[1]])


def test_files_of_a_source_that_is_taken_out_are_removed(docs):
    before = records(docs)
    assert changes(found(docs.parent, "docs/a.md"), before, "cut").removed == before[1:]


def test_a_source_that_is_gone_removes_nothing_and_says_so(docs):
    before = records(docs)
    shutil.rmtree(docs)
    todo = changes(found(docs.parent), before, "cut")
    assert (todo.work, todo.removed) == ([], [])
    (row,) = todo.rows
    assert (row.file, row.outcome) == ("docs", "failed")
    assert row.cause == "It is not there. 3 files that came from it stay in the database."
    assert "take the source out" in row.hint


def test_neither_does_one_whose_disk_is_not_there(docs):
    before = records(docs)
    shutil.rmtree(docs)
    docs.mkdir()
    todo = changes(found(docs.parent), before, "cut")
    assert todo.removed == []
    assert [row.cause.startswith("It holds no files") for row in todo.rows] == [True]


def test_a_folder_that_never_had_files_is_no_failure(docs):
    (docs.parent / "new").mkdir()
    todo = changes(found(docs.parent, "docs", "new"), records(docs), "cut")
    assert {row.outcome for row in todo.rows} == {"unchanged"}


def test_the_other_sources_are_done_where_one_is_gone(docs):
    todo = changes(found(docs.parent, "gone", "docs"), [], "cut")
    assert len(todo.work) == 3
    assert [(row.file, row.cause, row.hint) for row in todo.rows] == [("gone", "It is not there.", None)]
