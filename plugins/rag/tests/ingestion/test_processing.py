"""A dataset brought into its database: what is done, what is not done again, and what goes wrong."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import llamafarm
import pytest
from llamafarm.errors import ProviderError
from llamafarm_rag.errors import DatabaseError
from llamafarm_rag.ingestion.processing import forget, rebuild
from workplace import Direct, vector_of

pytestmark = pytest.mark.anyio

COWS = "Cows eat hay in winter. They drink from the trough behind the barn."
HENS = "Hens lay fewer eggs when the days are short."
LONG = "\n\n".join(
    f"Rule {number}: gates stay shut, and whoever opens gate {number} closes it." for number in range(40)
)


def outcomes(report):
    return {row.file: row.outcome for row in report.rows}


def texts(rows):
    return {file: text for file, text, _ in rows.values()}


async def test_new_files_are_read_cut_embedded_and_found(place):
    place.write("cows.md", COWS)
    place.write("hens/hens.txt", HENS)
    report = await place.process(reader=None)
    assert outcomes(report) == {"docs/cows.md": "added", "docs/hens/hens.txt": "added"}
    assert (report.totals["added"], report.chunks) == (2, 2)
    assert texts(await place.rows()) == {"docs/cows.md": COWS, "docs/hens/hens.txt": HENS}
    (nearest,) = await place.database.nearest(vector_of(f"hens\n\n{HENS}"), 1)
    assert (nearest.passage.file, nearest.passage.dataset) == ("docs/hens/hens.txt", "docs")
    assert nearest.score == pytest.approx(1, abs=1e-3)


async def test_only_what_has_changed_is_done_again(place, server):
    place.write("cows.md", COWS)
    place.write("hens.md", HENS)
    await place.process()
    before = await place.rows()
    server.batches.clear()
    place.write("hens.md", HENS + " They rest.")
    report = await place.process()
    assert outcomes(report) == {"docs/cows.md": "unchanged", "docs/hens.md": "changed"}
    assert server.texts == [f"hens\n\n{HENS} They rest."]
    after = await place.rows()
    assert len(after) == 2
    assert len(before.items() & after.items()) == 1


async def test_where_nothing_has_changed_nobody_is_asked(place, server):
    place.write("cows.md", COWS)
    await place.process()
    server.requests.clear()
    assert outcomes(await place.process()) == {"docs/cows.md": "unchanged"}
    assert server.requests == []


async def test_a_file_that_is_gone_is_removed(place):
    place.write("cows.md", COWS)
    place.write("hens.md", HENS)
    await place.process()
    place.delete("cows.md")
    report = await place.process()
    assert outcomes(report) == {"docs/cows.md": "removed", "docs/hens.md": "unchanged"}
    assert texts(await place.rows()) == {"docs/hens.md": HENS}


async def test_sources_of_the_database_are_read_too(place, tmp_path):
    elsewhere = tmp_path / "elsewhere.md"
    elsewhere.write_text(COWS)
    await place.database.set_sources("docs", [str(elsewhere)])
    place.write("hens.md", HENS)
    assert len(outcomes(await place.process())) == 2


async def test_only_some_of_the_files_may_be_asked_for(place):
    for name in ("old/cows.md", "old/hens.md", "new/cows.md"):
        place.write(name, COWS)
    await place.process()
    place.delete("old/cows.md")
    place.delete("new/cows.md")
    report = await place.process(only=[place.folder / "docs" / "new"])
    assert outcomes(report) == {"docs/new/cows.md": "removed"}
    assert len(await place.rows()) == 2


async def test_a_file_that_cannot_be_read_is_a_row_and_the_others_are_done(place):
    place.write("cows.md", COWS)
    (place.folder / "docs" / "broken.md").write_bytes(b"\x00\xff\x00\xfe" * 99)
    report = await place.process()
    assert outcomes(report) == {"docs/broken.md": "failed", "docs/cows.md": "added"}
    assert report.failed[0].cause


async def test_what_was_read_of_a_file_stays_where_it_cannot_be_read_any_more(place):
    place.write("cows.md", COWS)
    await place.process()
    (place.folder / "docs" / "cows.md").write_bytes(b"\x00\xff\x00\xfe" * 99)
    (row,) = (await place.process()).rows
    assert (row.outcome, row.chunks) == ("failed", 1)
    assert "What was read of it before stays" in row.cause
    assert texts(await place.rows()) == {"docs/cows.md": COWS}


async def test_a_text_that_the_model_refuses_fails_its_file_alone(place, server):
    server.refuse = lambda given: (400, "too odd") if any("Hens" in text for text in given) else None
    place.write("rules.md", LONG)
    place.write("cows.md", COWS)
    place.write("hens.md", HENS)
    report = await place.process()
    assert outcomes(report) == {"docs/cows.md": "added", "docs/hens.md": "failed", "docs/rules.md": "added"}
    assert report.failed[0].cause == "The model refuses a text of it: too odd"


async def test_batches_are_filled_across_files(place, server):
    for number in range(32):
        place.write(f"{number:02}.md", f"Note {number}: the gate is shut.")
    server.pause = 0.1
    await place.process()
    assert max(map(len, server.batches)) == 8


async def test_a_runtime_that_fails_ends_it_and_what_was_done_stays_done(place, server):
    server.refuse = lambda given: (401, "wrong key") if any("Rule 39" in text for text in given) else None
    place.write("a.md", COWS)
    place.write("b.md", LONG)
    with pytest.raises(ProviderError, match="wrong key"):
        await place.process()
    server.refuse = lambda _: None
    await place.process()
    assert {row.file for row in (await place.process()).rows if row.outcome == "unchanged"} == {
        "docs/a.md",
        "docs/b.md",
    }


async def test_cancelling_leaves_what_is_done(place, server):
    for number in range(24):
        place.write(f"{number:02}.md", f"Note {number}: the gate is shut.")
    server.pause = 0.05
    done = asyncio.Event()
    task = asyncio.create_task(place.process(progress=lambda moment: done.set() if moment.files else None))
    await done.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    finished = len(await place.database.files("docs"))
    assert 0 < finished < 24
    report = await place.process()
    assert report.totals == {"added": 24 - finished, "changed": 0, "unchanged": finished, "removed": 0, "failed": 0}
    assert len(await place.rows()) == 24


async def test_progress_says_how_far_it_is(place):
    place.write("rules.md", LONG)
    place.write("cows.md", COWS)
    moments = []
    report = await place.process(progress=moments.append)
    last = moments[-1]
    assert (last.files, last.total_files, last.chunks) == (2, 2, report.chunks)
    assert last.bytes == pytest.approx(last.total_bytes)
    assert last.seconds_left == pytest.approx(0, abs=1e-6)
    assert [moment.files for moment in moments] == sorted(moment.files for moment in moments)
    assert set(last.as_json()) >= {"files", "total_files", "chunks", "chunks_per_second", "seconds_left"}


async def test_another_model_is_refused_until_the_database_is_rebuilt(place, server):
    place.write("cows.md", COWS)
    await place.process()
    before = await place.rows()
    place.configure(server.base_url, model="other")
    server.dimension = 24
    async with llamafarm.open(place.folder, environ=place.environ) as farm:
        place.farm = farm
        with pytest.raises(DatabaseError, match="lf rag rebuild notes"):
            await place.process()
        assert await place.rows() == before
        (report,) = await rebuild(farm.project, place.database, farm, reader=Direct())
        assert outcomes(report) == {"docs/cows.md": "added"}
        assert (await place.database.stats()).embedder.dimension == 24
        assert outcomes(await place.process()) == {"docs/cows.md": "unchanged"}


async def test_a_rebuild_whose_model_does_not_answer_leaves_everything(place, server):
    place.write("cows.md", COWS)
    await place.process()
    before = await place.rows()
    server.refuse = lambda _: (401, "wrong key")
    with pytest.raises(ProviderError, match="wrong key"):
        await rebuild(place.farm.project, place.database, place.farm)
    assert await place.rows() == before


async def test_other_sizes_of_chunks_do_all_again(place, server):
    place.write("rules.md", LONG)
    chunks = (await place.process()).chunks
    place.configure(server.base_url, size=64)
    async with llamafarm.open(place.folder, environ=place.environ) as farm:
        place.farm = farm
        report = await place.process()
    assert outcomes(report) == {"docs/rules.md": "changed"}
    assert 0 < report.chunks < chunks
    assert len(await place.rows()) == report.chunks


async def test_a_dataset_can_be_forgotten(place):
    place.write("cows.md", COWS)
    await place.process()
    assert await forget("docs", place.database) == 1
    assert await place.rows() == {}


async def test_a_report_is_json(place):
    place.write("cows.md", COWS)
    told = (await place.process()).as_json()
    assert told["rows"] == [{"file": "docs/cows.md", "outcome": "added", "chunks": 1}]
    assert (told["dataset"], told["database"], told["totals"]["added"]) == ("docs", "notes", 1)


class Careless(Direct):
    """Reads half characters in one file, which no database can keep."""

    async def read(self, path, processing):
        document = await super().read(path, processing)
        return replace(document, metadata={"note": "half \ud83d of it"}) if "hens" in path.name else document


async def test_a_passage_that_the_database_cannot_keep_fails_its_file_alone(place):
    for number in range(8):
        place.write(f"{number}.md", f"Note {number}: the gate is shut.")
    place.write("hens.md", HENS)
    report = await place.process(reader=Careless())
    assert report.totals == {"added": 8, "changed": 0, "unchanged": 0, "removed": 0, "failed": 1}
    assert "half characters" in report.failed[0].cause
    assert len(await place.rows()) == 8
