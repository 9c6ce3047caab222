"""docs/text-engine.md names files that exist, and figures that are so."""

from __future__ import annotations

import re
from pathlib import Path

from llamafarm_universal.host.engines.text import drafter, prompt_lookup
from llamafarm_universal.host.engines.text.guesses import PAUSE, TRIES
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS
from llamafarm_universal.host.engines.working import CACHED_TOKENS
from llamafarm_universal.messages.plan import Limits

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "text-engine.md").read_text()
FOLDER = ROOT / "plugins/universal/src/llamafarm_universal/host/engines/text"


def test_every_file_that_is_named_is_there() -> None:
    names = re.findall(r"\(`([a-z_/]+)`\)", TEXT)
    assert len(names) > 8
    missing = [name for name in names if not (FOLDER / (name if name.endswith("/") else f"{name}.py")).exists()]
    assert not missing


def test_its_figures_are_those_of_the_code() -> None:
    assert f"blocks of {BLOCK_TOKENS} tokens" in TEXT
    assert f"up to {Limits().prefill_step('cpu')} tokens of prompts ({Limits().prefill_step('cuda')} on a GPU)" in TEXT
    assert f"at least {CACHED_TOKENS:,} tokens are asked for" in TEXT
    assert f"(`prompt_lookup`): up to {prompt_lookup.MOST} tokens" in TEXT
    assert f"(`drafter`): up to {drafter.MOST} tokens" in TEXT
    assert f"every {TRIES + 1}th step" in TEXT
    assert f"for {PAUSE} steps" in TEXT


def test_a_request_has_eight_steps() -> None:
    assert re.findall(r"^(\d)\. \*\*", TEXT, re.MULTILINE) == list("12345678")
