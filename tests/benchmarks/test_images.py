"""The benchmark of pictures: what it makes of its figures, and that it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import images
from models import SHAPES, write

GOOD = images.Figures(
    bare=1.0, ours=1.04, bare_apart=4.0, bare_batch=2.0, apart=4.2, together=3.0,
    gaps_alone=(0.01, 0.02), gaps_beside=(0.02, 0.05), rate=0.5,
)  # fmt: skip


def test_what_keeps_all_budgets_misses_none():
    assert GOOD.missed() == []


def test_each_budget_is_told_that_is_missed():
    for changes, words in (
        ({"ours": 1.06}, "1.060 times the bare loop's time"),
        ({"together": 4.0}, "four at once are not 1.30 times as fast"),
        ({"rate": 0.39}, "a text keeps 39% of its rate"),
        ({"gaps_beside": (0.01, 0.05)}, "uneven"),
    ):
        [missed] = replace(GOOD, **changes).missed()
        assert words in missed


def test_a_device_that_gains_nothing_by_a_batch_has_nothing_to_give():
    figures = replace(GOOD, bare_batch=4.0, apart=4.0, together=4.1)
    assert figures.wanted_gain == 0.9
    assert figures.missed() == []


def test_it_runs(tmp_path):
    write(SHAPES["tiny"], tmp_path / "text")
    file = tmp_path / "figures.json"
    options = "--channels 32 32 --side 16 --steps 2 --rounds 1 --alone 0.5 --beside 0.5"
    command = [sys.executable, images.__file__, *options.split(), "--text", str(tmp_path / "text"), "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert "one picture: bare" in done.stdout, done.stderr
    assert "tokens" in done.stdout
    figures = json.loads(file.read_text())
    assert figures["ours"] > 0
    assert figures["rate"] > 0
