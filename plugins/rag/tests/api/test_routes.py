"""Datasets, files and questions over HTTP."""

from __future__ import annotations

import asyncio
import json

import pytest

pytestmark = pytest.mark.anyio


async def ok(answer):
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


async def test_a_dataset_is_processed_shown_and_asked(api):
    report = (await ok(await api.post("/datasets/docs/process")))["data"][0]
    assert report["totals"]["added"] == 2
    [row] = (await ok(await api.get("/datasets")))["data"]
    assert (row["name"], row["files"], row["chunks"]) == ("docs", 2, 2)
    shown = await ok(await api.get("/datasets/docs"))
    assert [file["file"] for file in shown["files"]] == ["docs/cows.md", "docs/pigs.md"]
    found = await ok(await api.post("/rag/query", json={"query": "When does Berta give milk?", "rag_top_k": 1}))
    assert [hit["passage"]["file"] for hit in found["hits"]] == ["docs/cows.md"]
    [database] = (await ok(await api.get("/rag/databases")))["data"]
    assert (database["name"], database["passages"]) == ("notes", 2)


async def test_how_far_it_is_comes_as_events_and_the_report_last(api):
    async with api.stream("POST", "/rag/databases/notes/rebuild?stream=true") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") async for line in answer.aiter_lines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    assert json.loads(lines[-2])["reports"][0]["totals"]["added"] == 2


async def test_a_file_is_added_replaced_and_deleted(api):
    added = await ok(await api.post("/datasets/docs/data", files={"file": ("hens.md", "Hens lay eggs at dawn.")}))
    assert [(row["file"], row["outcome"]) for row in added["rows"]] == [("hens.md", "added")]
    found = await ok(await api.post("/rag/query", json={"query": "eggs at dawn", "rag_top_k": 1}))
    assert found["hits"][0]["passage"]["file"] == "hens.md"

    changed = await ok(await api.post("/datasets/docs/data", files={"file": ("hens.md", "Hens sleep.")}))
    assert [row["outcome"] for row in changed["rows"]] == ["changed"]

    removed = await ok(await api.delete("/datasets/docs/data/hens.md"))
    assert [row["outcome"] for row in removed["rows"]] == ["removed"]
    assert (await api.delete("/datasets/docs/data/hens.md")).status_code == 404


async def test_each_file_of_a_form_has_its_row_also_one_of_an_unknown_kind_and_one_that_cannot_be_read(api):
    files = [("a.xyz", b"Eggs."), ("b.pdf", b"this is no PDF"), ("c.bin", b"\0\1\2")]
    added = await ok(await api.post("/datasets/docs/data", files=[("file", file) for file in files]))
    rows = [(row["file"], row["outcome"], row.get("cause")) for row in added["rows"]]
    assert rows == [
        ("a.xyz", "added", None),
        ("b.pdf", "failed", "b.pdf is no PDF."),
        ("c.bin", "failed", "c.bin is no text: it is a binary file."),
    ]


async def test_of_two_that_send_a_file_of_one_name_at_once_one_is_kept_whole(api):
    texts = ["Ducks swim. " * 50, "Geese fly. " * 50]
    sent = [api.post("/datasets/docs/data", files={"file": ("d.md", text)}) for text in texts]
    for answer in await asyncio.gather(*sent):
        await ok(answer)
    await ok(await api.post("/datasets/docs/process"))
    found = (await ok(await api.post("/rag/query", json={"query": "ducks and geese", "rag_top_k": 50})))["hits"]
    words = {word for hit in found if hit["passage"]["file"] == "d.md" for word in hit["passage"]["text"].split()}
    assert words in ({"Ducks", "swim."}, {"Geese", "fly."})


@pytest.mark.parametrize("name", ["../../evil.md", "..\\evil.md", "/etc/evil.md"])
async def test_a_name_leads_to_no_other_folder(api, name, tmp_path):
    added = await ok(await api.post("/datasets/docs/data", files={"file": (name, "Evil.")}))
    assert [row["file"] for row in added["rows"]] == ["evil.md"]
    assert [path.parent.name for path in tmp_path.rglob("evil.md")] == ["docs"]


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "said"),
    [
        ("GET", "/datasets/x", {}, 404, "There is no dataset 'x'"),
        ("POST", "/datasets/x/process", {}, 404, "There is no dataset 'x'"),
        ("POST", "/rag/databases/x/rebuild", {}, 404, "There is no database 'x'"),
        ("POST", "/rag/query", {"json": {"query": ""}}, 400, "'query' is wrong"),
        ("POST", "/rag/query", {"json": {"query": "a", "top_k": 1}}, 400, "'top_k' is wrong"),
        ("POST", "/rag/query", {"json": {"query": "a", "rag_top_k": 0}}, 400, "'rag_top_k' is wrong"),
        ("POST", "/rag/query", {"json": {"query": "a", "database": "x"}}, 404, "There is no database 'x'"),
        ("POST", "/datasets/docs/data", {"files": {"other": ("a.md", "A")}}, 400, "The form has no file"),
        ("POST", "/datasets/docs/data", {"files": {"file": (".env", "A")}}, 400, "cannot be kept"),
    ],
)
async def test_mistakes_are_errors_that_say_what_is_wrong(api, method, path, sent, status, said):
    answer = await api.request(method, path, **sent)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]
