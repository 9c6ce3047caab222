"""`lf status`: the runtimes of a project, whoever started them."""

from __future__ import annotations

import json


def test_entries_of_one_runtime_are_one_row_with_what_is_in_memory(shop):
    shop.put("small")
    (shop.runtime / "loaded").touch()
    ran = shop.run("status")

    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()] == [
        ["RUNTIME", "STATE", "ADDRESS", "VERSION", "PID", "UP", "IN", "MEMORY"],
        ["shelf", "reachable", "http://127.0.0.1:9", "2.0", "small", "(2.0", "MB)"],
    ]


def test_the_json_has_every_field(shop):
    shop.put("small")
    (shop.runtime / "loaded").touch()
    [row] = json.loads(shop.run("status", "--json").out)

    assert {key: row[key] for key in ("name", "state", "address", "pid", "since", "version", "log")} == {
        "name": "shelf",
        "state": "reachable",
        "address": "http://127.0.0.1:9",
        "pid": None,
        "since": None,
        "version": "2.0",
        "log": None,
    }
    assert (row["provider"], row["entries"], row["detail"]) == ("shelf", ["small", "large"], "")
    assert [(model["id"], model["memory_bytes"]) for model in row["models"]] == [("small", 2_000_000)]


def test_what_does_not_answer_and_what_is_broken_are_rows_that_say_why(shop):
    (shop.runtime / "down").touch()
    with (shop.folder / "llamafarm.yaml").open("w") as file:
        file.write("runtime: {models: {a: {provider: shelf, model: a}, b: {provider: nothing-like-it, model: b}}}\n")
    ran = shop.run("status")
    lines = ran.out.splitlines()

    assert ran.code == 0
    assert "not reachable" in lines[1]
    assert "the shelf is down" in lines[1]
    assert lines[2].startswith("nothing-like-it  broken")
    assert "runtime.models.b.provider: No plugin brings a provider 'nothing-like-it'" in lines[2]


def test_without_a_project_it_says_what_to_do(shop):
    (shop.folder / "llamafarm.yaml").unlink()
    ran = shop.run("status")

    assert ran.code == 1
    assert "lf init" in ran.err
