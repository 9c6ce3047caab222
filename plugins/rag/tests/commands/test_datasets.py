"""`lf datasets`: added, listed, processed again, taken out."""

from __future__ import annotations

import pytest
from click import unstyle

pytestmark = pytest.mark.anyio


async def test_a_folder_is_added_and_read(farmer):
    done = await farmer.lf("datasets", "add", "docs")
    assert done.exit_code == 0, done.output
    assert "docs: 2 added; 2 chunks" in done.stdout
    shown = await farmer.json("datasets", "show", "docs")
    assert [file["file"] for file in shown["files"]] == ["docs/cows.md", "docs/pigs.md"]
    assert shown["sources"] == [str(farmer.folder / "docs")]


async def test_what_is_new_has_changed_or_is_gone_is_found_by_processing(farmer):
    await farmer.lf("datasets", "add", "docs")
    farmer.write("docs/hens.md", "Hens lay eggs.")
    farmer.write("docs/pigs.md", "Pigs are fed with rye.")
    (farmer.folder / "docs" / "cows.md").unlink()
    [report, later] = await farmer.json("datasets", "process")
    assert {row["file"]: row["outcome"] for row in report["rows"]} == {
        "docs/cows.md": "removed",
        "docs/hens.md": "added",
        "docs/pigs.md": "changed",
    }
    assert later["rows"] == []


async def test_a_dataset_may_be_read_later(farmer):
    added = await farmer.lf("datasets", "add", "docs", "--dataset", "later")
    assert "later has 1 source; `lf datasets process` reads them." in added.stdout
    rows = {row["name"]: row for row in await farmer.json("datasets", "list")}
    assert (rows["later"]["sources"], rows["later"]["files"]) == (1, 0)
    assert (await farmer.lf("datasets", "process", "later")).exit_code == 0
    listed = (await farmer.lf("datasets", "list")).stdout
    assert [line.split() for line in unstyle(listed).splitlines()][2] == ["later", "notes", "1", "2", "2"]


async def test_a_file_that_cannot_be_read_is_a_row_and_exit_code_1(farmer):
    farmer.write("docs/broken.pdf", "this is no PDF")
    done = await farmer.lf("datasets", "add", "docs")
    assert done.exit_code == 1
    assert "docs: 2 added, 1 failed" in done.stdout
    assert done.stderr.splitlines() == ["  docs/broken.pdf is no PDF."]


async def test_a_source_is_taken_out_with_its_files(farmer):
    await farmer.lf("datasets", "add", "docs/cows.md", "docs/pigs.md")
    done = await farmer.lf("datasets", "rm", "docs/pigs.md")
    assert "docs: 1 unchanged, 1 removed" in done.stdout
    everything = await farmer.lf("datasets", "rm", "--all")
    assert "docs: 1 file forgotten." in everything.stdout
    assert (await farmer.json("datasets", "show"))["files"] == []
    assert (farmer.folder / "docs" / "cows.md").is_file()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("add", "nowhere"), 1, "There is no file and no folder"),
        (("add", "docs", "--dataset", "dcos"), 1, "There is no dataset 'dcos'"),
        (("rm", "docs"), 1, "is no source that `lf datasets add` has added"),
        (("rm",), 2, "Name what was added, or give --all"),
        (("process", "x"), 1, "There are: docs, later"),
    ],
)
async def test_mistakes_say_what_there_is(farmer, words, code, said):
    done = await farmer.lf("datasets", *words)
    assert said in done.output + str(done.exception)
    assert (done.exit_code == 2) == (code == 2)
