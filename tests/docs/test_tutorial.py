"""The tutorial, followed to the letter: from `lf plugins new` to a chat through the new provider."""

from __future__ import annotations

from pathlib import Path

import pytest
from farms import free_port
from pages import Walk, blocks
from throwaway import Environment

PAGE = Path(__file__).parents[2] / "docs" / "plugins" / "tutorial.md"
MADE = ("python3 -m venv .venv", ". .venv/bin/activate")
"""What the environment of the test stands for."""


@pytest.mark.timeout(900)
def test_the_tutorial_leads_from_nothing_to_a_chat_through_a_provider_of_ones_own(author: Environment) -> None:
    Walk(author, instead={"8321": str(free_port())}, done=MADE).through(PAGE)


def test_the_tutorial_begins_with_an_environment_of_its_own() -> None:
    typed = [command.typed for block in blocks(PAGE, "console") for command in block.commands]
    assert tuple(typed[: len(MADE)]) == MADE
    assert typed[len(MADE)] == "pip install llamafarm-kit"
