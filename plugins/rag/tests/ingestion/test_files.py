"""Which files a dataset has: what its sources name, and what is left out of it."""

from __future__ import annotations

import os

import pytest
from llamafarm_rag.ingestion.files import find_files
from llamafarm_rag.ingestion.sources import sources_of

EMPTY = "holds no files, as the place of a disk does that is not there"
FILES = ["a.md", "b.txt", "sub/c.md", "sub/deep/d.md", "sub/e.bin", ".hidden.md", ".git/f.md", "node_modules/g.md"]


@pytest.fixture
def docs(tmp_path):
    """A folder with files of several kinds, in a project."""
    for name in FILES:
        file = tmp_path / "docs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path / "docs"


def find(folder, *sources):
    return find_files(sources_of(sources, folder), [folder], lambda path: path.suffix in (".md", ".txt"))


def shown(found):
    return [file.shown for file in found.files]


@pytest.mark.parametrize(
    ("sources", "files"),
    [
        (["docs"], ["docs/a.md", "docs/b.txt", "docs/sub/c.md", "docs/sub/deep/d.md"]),
        (["docs/a.md"], ["docs/a.md"]),
        (["docs/*.md"], ["docs/a.md"]),
        (["docs/**/*.md"], ["docs/a.md", "docs/sub/c.md", "docs/sub/deep/d.md"]),
        (["docs/*/*.md"], ["docs/sub/c.md"]),
        (["docs/s*"], ["docs/sub/c.md", "docs/sub/deep/d.md"]),
        (["docs/[ab].*"], ["docs/a.md", "docs/b.txt"]),
        (
            ["docs/sub", "docs/a.md", "./docs/sub/../a.md", "docs/sub"],
            ["docs/a.md", "docs/sub/c.md", "docs/sub/deep/d.md"],
        ),
        (["docs/nothing*"], []),
        ([], []),
    ],
)
def test_files_folders_and_patterns_are_found_each_once_in_a_stable_order(docs, sources, files):
    found = find(docs.parent, *sources)
    assert shown(found) == files
    assert (found.missing, found.empty, found.unnamed) == ([], [], [])


def test_hidden_files_and_other_kinds_are_left_out_and_counted(docs):
    assert find(docs.parent, "docs").left_out == 2


def test_a_file_that_is_named_itself_is_always_read(docs):
    found = find(docs.parent, "docs", "docs/.hidden.md", "docs/sub/e.bin")
    assert {"docs/.hidden.md", "docs/sub/e.bin"} < set(shown(found))
    assert found.left_out == 0


def test_files_outside_of_the_project_are_shown_whole(docs, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    assert shown(find(project, str(docs / "a.md"))) == [(docs / "a.md").as_posix()]


def test_a_name_with_the_signs_of_patterns_is_a_name_where_there_is_such_a_file(docs):
    (docs / "[draft].md").write_text("x")
    assert shown(find(docs.parent, "docs/[draft].md")) == ["docs/[draft].md"]


@pytest.mark.parametrize("source", ["gone", "gone/a.md", "gone/*.md"])
def test_a_source_that_is_gone_is_told(docs, source):
    (missing,) = find(docs.parent, source, "docs").missing
    assert (missing.shown.split("/")[0], missing.cause) == ("gone", "is not there")


def test_a_source_without_any_file_is_told_apart(docs):
    (docs.parent / "disk" / "mount").mkdir(parents=True)
    found = find(docs.parent, "disk", "docs")
    assert [(empty.shown, empty.cause) for empty in found.empty] == [("disk", EMPTY)]


def test_links_are_followed_and_loops_end(docs):
    (docs / "sub" / "again").symlink_to(docs, target_is_directory=True)
    (docs / "a-link").symlink_to(docs / "sub", target_is_directory=True)
    (docs / "link.md").symlink_to(docs / "a.md")
    assert shown(find(docs.parent, "docs")) == [
        "docs/a.md",
        "docs/b.txt",
        "docs/link.md",
        "docs/sub/c.md",
        "docs/sub/deep/d.md",
    ]


def test_a_link_that_leads_nowhere_is_told(docs):
    (docs / "lost.md").symlink_to(docs / "nowhere.md")
    (missing,) = find(docs.parent, "docs").missing
    assert (missing.shown, missing.cause) == ("docs/lost.md", "is not there")


def test_a_name_that_is_no_text_is_told(docs):
    (docs / os.fsdecode(b"caf\xe9.md")).write_text("x")
    found = find(docs.parent, "docs")
    assert found.unnamed == [r"docs/caf\xe9.md"]
    assert r"docs/caf\xe9.md" not in shown(found)


def test_what_is_no_file_is_told(docs):
    os.mkfifo(docs / "pipe.md")
    (missing,) = find(docs.parent, "docs").missing
    assert (missing.shown, missing.cause) == ("docs/pipe.md", "is neither a file nor a folder")
