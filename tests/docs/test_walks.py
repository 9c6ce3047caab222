"""Pages that are a walk: what they say to write and to type is done, and what they show is compared."""

from __future__ import annotations

from pathlib import Path

import pytest
from farms import free_port
from pages import Walk
from throwaway import Environment

PAGES = Path(__file__).parents[2] / "docs" / "plugins"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", ["config-fragments.md", "handlers.md"])
def test_what_the_page_says_works(page: str, author: Environment) -> None:
    Walk(author, instead={"8321": str(free_port())}).through(PAGES / page)


@pytest.mark.timeout(600)
def test_the_engine_that_the_page_shows_keeps_the_contract(engine_author: Environment) -> None:
    Walk(engine_author).through(PAGES / "engines.md")
