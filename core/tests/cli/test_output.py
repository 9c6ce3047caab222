"""Columns as a terminal shows them."""

from __future__ import annotations

from llamafarm.cli.output import print_table
from rich.cells import cell_len


def test_columns_stand_below_each_other_where_characters_are_wide_or_combine(capsys):
    print_table(("NAME", "STATE"), [("モデル", "up"), ("cafe\u0301", "up"), ("🦙", "up"), ("plain", "up")])
    head, *rows = capsys.readouterr().out.splitlines()
    column = head.index("STATE")
    assert [cell_len(row[: row.index("up")]) for row in rows] == [column] * 4
