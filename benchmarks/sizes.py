"""How large is the core, package by package, and does each keep to the budget that docs/structure.md gives it?

Lines of Python are counted with their docstrings and empty lines, stubs included. No time is measured here; a core that
grows is slower to understand, which is what costs its users and authors most.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "core" / "src" / "llamafarm"
REST = "modules"
"""The row of the modules that lie in no package."""
_ROW = re.compile(r"^\| `?(\w+)/?`? \| ([\d,]+) \|", re.MULTILINE)


def budgets() -> dict[str, int]:
    """The budget of each package, from the table in docs/structure.md."""
    text = (ROOT / "docs" / "structure.md").read_text(encoding="utf-8")
    return {name: int(lines.replace(",", "")) for name, lines in _ROW.findall(text)}


def sizes() -> dict[str, int]:
    """Lines of each package of the core, and of the modules beside them."""
    lines: dict[str, int] = {}
    for path in [*CORE.rglob("*.py"), *CORE.rglob("*.pyi")]:
        place = path.relative_to(CORE).parts
        package = place[0] if len(place) > 1 else REST
        lines[package] = lines.get(package, 0) + len(path.read_text(encoding="utf-8").splitlines())
    return lines


def main() -> int:
    """Print one row for each package; 1 where one is over its budget or has none."""
    allowed, found = budgets(), sizes()
    print(f"{'package':12} {'lines':>7} {'budget':>7}")
    over = []
    for name in sorted({*allowed, *found}):
        lines, budget = found.get(name, 0), allowed.get(name, 0)
        print(f"{name:12} {lines:7,} {budget:7,}{'  over' if lines > budget else ''}")
        over += [name] if lines > budget else []
    print(f"{'in all':12} {sum(found.values()):7,} {sum(allowed.values()):7,}")
    if over:
        print(f"over budget: {', '.join(over)}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
