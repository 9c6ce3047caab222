"""docs/agents.md, followed from its beginning to its end, on the runtime that other tests use."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from farms import Farm, free_port
from pages import Walk

PAGE = Path(__file__).parents[2] / "docs" / "agents.md"


def test_what_the_page_says_works(shared: Farm, tmp_path: Path) -> None:
    data, programs = str(shared.folder / "data"), str(Path(sys.executable).parent)
    path = os.pathsep.join([programs, os.environ["PATH"]])
    reader = Farm(tmp_path, {**shared.environ, "LF_DATA_DIR": data, "PATH": path})
    Walk(reader, instead={"8000": str(free_port())}).through(PAGE)
