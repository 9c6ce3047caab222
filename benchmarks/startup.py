"""How much CPU time does `lf --help` take beyond Python's own start, beside `llm --help`?

Budget: 150 ms of user and system time beyond `python -c pass`, also with a plugin that is broken.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import environment

BUDGET_MS = 150.0
ROUNDS = 15
BIN = Path(sys.executable).parent

BROKEN_PLUGIN = {
    "broken_plugin.py": "raise ImportError('this plugin is broken')\n",
    "broken_plugin-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n",
    "broken_plugin-1.0.dist-info/entry_points.txt": "[llamafarm.plugins]\nbroken = broken_plugin\n",
}


def cpu_ms(command: list[str], environ: dict[str, str] | None = None) -> float:
    """Return the least user+system milliseconds of ROUNDS runs: noise only ever adds."""
    least = float("inf")
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environ)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least * 1000


def with_broken_plugin(folder: str) -> dict[str, str]:
    """Return an environment in which a plugin that cannot be imported is installed too."""
    for name, text in BROKEN_PLUGIN.items():
        file = Path(folder) / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return {**os.environ, "PYTHONPATH": folder}


def main() -> None:
    bare = cpu_ms([sys.executable, "-c", "pass"])
    llm = environment("llm")
    llm_bare = cpu_ms([str(llm / "python"), "-c", "pass"])
    with tempfile.TemporaryDirectory() as folder:
        broken = with_broken_plugin(folder)
        rows = {
            "lf --help": cpu_ms([str(BIN / "lf"), "--help"]) - bare,
            "lf --version": cpu_ms([str(BIN / "lf"), "--version"]) - bare,
            "lf --help, a broken plugin": cpu_ms([str(BIN / "lf"), "--help"], broken) - bare,
            "llm --help": cpu_ms([str(llm / "llm"), "--help"]) - llm_bare,
        }
    print(f"{'command':<28} {'CPU ms beyond python':>20} {'of llm':>8}")
    for name, value in rows.items():
        print(f"{name:<28} {value:>20.0f} {value / rows['llm --help']:>8.2f}")
    over = [name for name, value in rows.items() if name.startswith("lf") and value > BUDGET_MS]
    if over:
        sys.exit(f"over the budget of {BUDGET_MS:.0f} ms: {', '.join(over)}")


if __name__ == "__main__":
    main()
