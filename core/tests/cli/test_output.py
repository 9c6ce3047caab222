"""Columns as a terminal shows them, and JSON that loses nothing."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

from llamafarm.cli.output import print_json, print_table, width
from llamafarm.providers.base import ModelInfo


def test_a_wide_character_takes_two_columns_and_a_combining_one_none():
    assert [width(text) for text in ("up", "モデル", "cafe\u0301", "🦙", "a\u200db")] == [2, 6, 4, 2, 2]


def test_columns_stand_below_each_other_where_characters_are_wide_or_combine(capsys):
    print_table(("NAME", "STATE"), [("モデル", "up"), ("cafe\u0301", "up"), ("🦙", "up"), ("plain", "up")])
    head, *rows = capsys.readouterr().out.splitlines()
    column = head.index("STATE")
    assert [width(row[: row.index("up")]) for row in rows] == [column] * 4


def test_json_for_an_output_that_lacks_characters_is_escaped_and_keeps_them(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252", errors="replace"))
    print_json({"text": "🦙"})
    sys.stdout.flush()
    assert json.loads(written.getvalue()) == {"text": "🦙"}


def test_a_dataclass_is_an_object_of_json_a_set_a_sorted_list_and_a_path_its_text(capsys):
    info = ModelInfo("small", frozenset({"tools", "chat"}), context_length=4096)
    print_json([info, {"log": Path("logs") / "x.log"}])

    model, file = json.loads(capsys.readouterr().out)
    assert (model["id"], model["features"], model["context_length"]) == ("small", ["chat", "tools"], 4096)
    assert file == {"log": str(Path("logs") / "x.log")}
