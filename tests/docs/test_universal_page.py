"""docs/universal.md names every route and task of the Universal Runtime, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from llamafarm_universal import catalogue
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.media.spool import Spool
from llamafarm_universal.server.app import routes
from llamafarm_universal.server.bodies import Bodies

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "universal.md").read_text()
TABLE = TEXT.partition("| task ")[2].partition("\n\n")[0]
ROWS = [line.split("|")[1:-1] for line in TABLE.splitlines()[1:] if line.startswith("| ")]


def ticked(column: int) -> set[str]:
    return {name for row in ROWS for name in re.findall(r"`([^`]+)`", row[column])}


def test_every_route_that_is_asked_of_a_model_is_there(tmp_path: Path) -> None:
    all_routes = routes(1, MediaSettings(), Bodies(1), Spool(tmp_path, MediaSettings()))
    asked = {route.path.removeprefix("/v1/") for route in all_routes if "POST" in (route.methods or ())}
    models = {path for path in asked if path.startswith("models/")}
    assert ticked(1) == {path.replace("{operation}", "OPERATION") for path in asked - models}
    assert all(f"`{path}`" in TEXT or f"`POST /v1/{path}`" in TEXT for path in models)


def test_every_task_is_there() -> None:
    assert ticked(0) - {"model_type", "image"} == set(catalogue.tasks())
