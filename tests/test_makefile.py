"""What `make` does beside calling programs that have tests of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BENCHMARK = """#!/bin/sh
case "$1" in *embeddings.py) echo "over the budget" >&2; exit 1;; esac
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def bench(folder: Path, *benchmarks: str) -> subprocess.CompletedProcess[str]:
    """`make bench` of these benchmarks, with a python in which that of embeddings misses its budget."""
    python = folder / "python"
    python.write_text(BENCHMARK)
    python.chmod(0o755)
    made = ROOT / ".venv" / ".dev"
    given = [f"BIN={folder}", f"VENV={made.parent}", f"BENCHMARKS={' '.join(benchmarks)}"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "-o", str(made), "bench", *given], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )


def test_a_benchmark_that_misses_its_budget_keeps_no_other_from_running(tmp_path: Path) -> None:
    done = bench(tmp_path, "sizes", "embeddings", "chaos")

    assert done.stdout.splitlines() == [
        "== sizes", "sizes: held", "== embeddings", "embeddings: MISSED", "== chaos", "chaos: held",
        "== missed: embeddings",
    ]  # fmt: skip
    assert done.returncode != 0


def test_where_all_hold_it_succeeds(tmp_path: Path) -> None:
    done = bench(tmp_path, "sizes", "chaos")

    assert done.stdout.splitlines()[-1] == "== all held"
    assert done.returncode == 0


def test_every_benchmark_that_is_named_is_there() -> None:
    [line] = [line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("BENCHMARKS = ")]
    names = line.split(" = ")[1].split()

    assert len(names) > 10
    assert [name for name in names if not (ROOT / "benchmarks" / f"{name}.py").is_file()] == []
