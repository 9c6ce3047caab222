"""The benchmark of text generation as a whole, with a model of two layers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import textgen
from completions import Row
from models import SHAPES, tokenizer, write

PROGRAM = textgen.__file__


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write(SHAPES["tiny"], folder)
    return folder


def test_every_token_of_a_model_with_random_weights_is_text() -> None:
    made = tokenizer(2000, merges=500)
    assert len(made) == 2000
    assert all(made.decode([token]) for token in range(2000))
    assert made.decode(made("def test_it():\n    return 'ok'").input_ids) == "def test_it():\n    return 'ok'"


def test_ours_is_measured_with_its_memory_and_settings(tiny: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    options = [
        "--model",
        str(tiny),
        "--ours",
        "dtype=fp32",
        "--transformers",
        "--clients",
        "1",
        "2",
        "--json",
        str(figures),
    ]
    few = ["--words", "5", "--length", "3", "--answers", "2"]
    done = subprocess.run([sys.executable, PROGRAM, *options, *few], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    told = json.loads(figures.read_text())
    assert [(row["server"], row["clients"], row["tokens"], row["short"]) for row in told["rows"]] == [
        ("ours dtype=fp32", 1, 6, 0),
        ("ours dtype=fp32", 2, 12, 0),
    ]
    assert all(row["memory_mb"] > 50 and 0 < row["first_p50"] <= row["first_p99"] for row in told["rows"])
    assert told["machine"]["threads"] >= 1
    assert told["loaded"]["ours dtype=fp32"]["dtype"] == "fp32"
    assert "ours dtype=fp32" in done.stdout


def row(server: str, clients: int, rate: float, first: float) -> Row:
    return Row(server, clients, rate, first, first, 10.0, 10.0, 64, 64, 0)


def test_ours_is_compared_with_each_peer_at_as_many_clients() -> None:
    measured = [row("ours", 1, 30, 50), row("ours", 8, 60, 50), row("transformers continuous", 1, 10, 100)]
    (ratio,) = textgen.compare(measured)
    assert (ratio["clients"], ratio["tokens_per_second"], ratio["first_p50"]) == (1, 3.0, 0.5)
    assert textgen.missed([ratio]) == []


def test_of_several_passes_the_fastest_counts() -> None:
    slow, fast, other = row("ours", 1, 10, 90), row("ours", 1, 30, 50), row("ours", 8, 20, 50)
    assert textgen.best([slow, other, fast]) == [fast, other]


def test_what_is_too_slow_or_too_late_is_over_budget() -> None:
    measured = [row("ours", 8, 20, 100), row("transformers continuous", 8, 10, 100)]
    assert textgen.missed(textgen.compare(measured)) == ["tokens/s at 8", "first token at 8"]
