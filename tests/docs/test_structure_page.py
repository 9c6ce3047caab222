"""docs/structure.md names every requirement of the core, with its reason, and no other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SECTION = "## What the core requires"


def test_every_direct_requirement_of_the_core_has_its_reason():
    page = (ROOT / "docs" / "structure.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+) \| (.+) \|$", page.partition(SECTION)[2].partition("\n## ")[0], re.MULTILINE)
    named = [name for names, reason in rows for name in re.findall(r"`(.+?)`", names) if reason]
    project = tomllib.loads((ROOT / "core" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(named) == sorted(Requirement(one).name for one in project["dependencies"])
