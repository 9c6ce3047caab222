"""`lf models`: what is there, fetching it, and deleting it."""

from __future__ import annotations

import json
import signal

import pytest
from llamafarm.cli import main
from llamafarm.cli.models import _facts
from llamafarm.errors import UpstreamError
from llamafarm.providers.base import ModelInfo


def test_the_entries_are_listed_with_how_they_are_at_their_runtimes(shop):
    shop.put("small")
    shown = json.loads(shop.run("models", "list", "--json").out)
    lines = shop.run("models", "list").out.splitlines()

    assert [(row["id"], row["reachable"], row["default"]) for row in shown] == [
        ("small", True, True),
        ("large", True, False),
    ]
    assert [row["state"] for row in shown] == ["downloaded", "missing"]
    assert lines[1].startswith("small (default)  shelf     small         downloaded")
    assert lines[2].startswith("large            shelf     org/large:Q4  missing")


def test_a_pull_says_its_stages_once_where_nobody_watches(shop):
    ran = shop.run("models", "pull", "large")

    assert (ran.code, ran.out, ran.err) == (0, "large (org/large:Q4) is there.\n", "pulling org/large:Q4\n")
    assert shop.has("org/large:Q4")


def test_a_pull_as_json_is_a_line_for_each_step(shop):
    ran = shop.run("models", "pull", "small", "--json")

    steps = [json.loads(line) for line in ran.out.splitlines()]
    assert steps[0] == {
        "stage": "downloading",
        "text": "pulling small",
        "done": 0,
        "total": 4,
        "file": "0.bin",
        "index": 1,
        "count": 4,
    }
    assert [step["done"] for step in steps[:-1]] == [0, 1, 2, 3]
    assert steps[-1] == {"id": "small", "object": "model", "pulled": True}
    assert ran.err == ""


def test_the_command_that_goes_on_names_the_same_project(shop, interrupt):
    (shop.runtime / "hold").touch()
    command = ("models", "pull", "small", "--config", "llamafarm.yaml")
    stopped = interrupt(shop.start(*command), "pulling small", signal.SIGINT)

    assert "Stopped. `lf models pull small --config llamafarm.yaml` goes on" in stopped.err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_pull_and_the_next_one_goes_on_where_it_was(shop, interrupt, how):
    (shop.runtime / "hold").touch()
    stopped = interrupt(shop.start("models", "pull", "small", "--provider", "shelf"), "pulling small", how)

    assert stopped.code == 130
    assert "Stopped. `lf models pull small --provider shelf` goes on where it was." in stopped.err
    assert "Traceback" not in stopped.err
    assert (shop.runtime / "ended").exists()
    assert not shop.has("small")

    (shop.runtime / "hold").unlink()
    again = [json.loads(line) for line in shop.run("models", "pull", "small", "--json").out.splitlines()]
    assert again[0]["done"] == 2
    assert shop.has("small")


@pytest.mark.parametrize("command", [("pull",), ("show",), ("rm", "--yes"), ("status",)])
def test_an_unknown_name_is_an_error_that_says_what_to_do(shop, command):
    ran = shop.run("models", *command, "smal")

    assert ran.code == 1
    assert "There is no model 'smal'" in ran.err
    assert "Did you mean small?" in ran.err
    assert "`provider`): shelf." in ran.err


def test_a_runtimes_own_id_needs_its_provider_and_no_project(shop):
    (shop.folder / "llamafarm.yaml").unlink()
    name = "org/repo:Q4_K_M"

    assert "There is no llamafarm.yaml here" in shop.run("models", "pull", name).err
    assert shop.run("models", "status", name, "-p", "shelf").code == 1
    assert shop.run("models", "pull", name, "-p", "shelf").out == f"{name} is there.\n"
    assert shop.run("models", "status", name, "-p", "shelf").code == 0
    assert "oak" in shop.run("models", "show", name, "-p", "shelf").out
    assert shop.run("models", "rm", name, "-p", "shelf", "--yes").out == f"Deleted {name}.\n"
    assert not shop.has(name)


def test_a_provider_that_cannot_pull_says_what_to_do(shop):
    ran = shop.run("models", "pull", "gpt-5", "--provider", "fixed")

    assert ran.code == 1
    assert "The provider 'fixed' cannot fetch models." in ran.err
    assert "Fetch gpt-5 by the means of the server at http://127.0.0.1:9." in ran.err


def test_a_runtime_that_is_down_is_an_error_with_its_hint(shop):
    (shop.runtime / "down").touch()
    ran = shop.run("models", "pull", "small")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "Error: the shelf is down\nPut it up.\n"


def test_a_model_is_shown_as_far_as_its_runtime_tells(shop):
    shop.put("org/large:Q4")
    shown = shop.run("models", "show", "large").out
    facts = dict(line.split(":", 1) for line in shown.splitlines())

    assert len(facts) == len(shown.splitlines()), "what the runtime says again is not shown again"
    assert {key: value.strip() for key, value in facts.items()} == {
        "name": "large",
        "provider": "shelf",
        "model": "org/large:Q4",
        "capabilities": "chat, tools",
        "context length": "4,096 tokens",
        "size": "1.5 kB",
        "memory": "none",
        "loaded": "no",
        "downloaded": "yes",
        "family": "oak",
        "layers": "[1, 2]",
    }


def test_what_a_runtime_says_beside_is_shown_in_rows_for_people():
    details = {
        "parameters": 7_615_616_512,
        "requests": ["/v1/chat/completions", "/v1/completions"],
        "nothing": None,
        "none_of": [],
        "known_once_loaded": ["memory"],
        "adapter": {"kind": "LoRA", "rank": 8, "revision": None, "merged": False},
        "score": 0.5,
    }
    rows = dict(_facts(ModelInfo("m", features=frozenset({"images"}), details=details)))
    assert list(rows)[: list(rows).index("parameters")] == ["capabilities", "size", "loaded", "memory", "downloaded"]
    assert {key: rows[key] for key in list(rows)[5:]} == {
        "parameters": "7,615,616,512",
        "requests": "/v1/chat/completions, /v1/completions",
        "known once loaded": "memory",
        "adapter kind": "LoRA",
        "adapter rank": "8",
        "adapter merged": "no",
        "score": "0.5",
    }


def test_columns_in_which_nothing_stands_are_left_out(shop):
    shop.put("small")
    head, small, large = shop.run("models", "list").out.splitlines()
    assert head.split() == ["NAME", "PROVIDER", "MODEL", "STATE", "SIZE", "CONTEXT"]
    assert small.split()[-3:] == ["1.5", "kB", "4,096"]
    assert large.endswith("the shelf has no org/large:Q4.")


def test_a_model_is_shown_as_json(shop):
    shop.put("small")
    shown = json.loads(shop.run("models", "show", "small", "--json").out)

    assert (shown["name"], shown["features"], shown["size_bytes"]) == ("small", ["chat", "tools"], 1500)


def test_the_status_of_each_model_is_a_row(shop):
    shop.put("small")
    (shop.runtime / "loaded").touch()
    ran = shop.run("models", "status")
    rows = [line.split() for line in ran.out.splitlines()]

    assert ran.code == 0
    assert rows[1] == ["small", "shelf", "small", "loaded", "1.5", "kB", "2.0", "MB", "4,096"]
    assert rows[2][:4] == ["large", "shelf", "org/large:Q4", "missing"]
    assert "the shelf has no org/large:Q4" in ran.out


def test_the_status_of_one_model_is_the_exit_code_too(shop):
    shop.put("small")

    assert shop.run("models", "status", "small").code == 0
    missing = shop.run("models", "status", "large", "--json")
    assert (missing.code, json.loads(missing.out)["state"]) == (1, "missing")


def test_a_runtime_that_is_down_is_a_state_and_no_error(shop):
    (shop.runtime / "down").touch()
    ran = shop.run("models", "status")

    assert ran.code == 0
    assert ran.out.count("not reachable") == 2
    assert "the shelf is down. Put it up." in ran.out
    assert shop.run("models", "status", "small").code == 1


def test_doctor_notes_a_model_that_its_runtime_does_not_have(shop):
    shop.put("small")
    found = {row["what"]: row for row in json.loads(shop.run("doctor", "--json").out)}

    assert (found["model small"]["state"], found["model small"]["text"]) == ("ok", "reachable")
    assert (found["model large"]["state"], found["model large"]["todo"]) == ("note", "the shelf has no org/large:Q4.")


def test_a_provider_without_a_name_is_wrong_usage(shop):
    assert shop.run("models", "status", "--provider", "shelf").code == 2


def test_a_model_is_deleted_only_where_somebody_agrees(shop, monkeypatch):
    shop.put("small")
    unasked = shop.run("models", "rm", "small")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked = []
    monkeypatch.setattr("click.confirm", lambda text, **_: asked.append(text))
    declined = shop.run("models", "rm", "small")

    assert (unasked.code, declined.code) == (2, 1)
    assert "--yes" in unasked.err
    assert asked == ["Delete small, 1.5 kB, of shelf?"]
    assert shop.has("small")

    monkeypatch.setattr("click.confirm", lambda _, **__: True)
    assert shop.run("models", "rm", "small").out == "Deleted small.\n"
    assert not shop.has("small")


def test_deleting_what_is_not_there_is_an_error(shop):
    ran = shop.run("models", "rm", "small", "--yes")

    assert (ran.code, ran.err) == (1, "Error: the shelf has no small\n")


def test_an_unknown_command_of_the_group_is_wrong_usage_with_the_nearest_name(shop):
    ran = shop.run("models", "pul")

    assert ran.code == 2
    assert "Did you mean pull?" in ran.err


def test_an_error_does_not_steer_the_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    main._report(UpstreamError("no \x1b[2J model\x07", hint="Fetch it."), debug=False)

    assert capsys.readouterr().err.endswith(" no  [2J model \nFetch it.\n")
