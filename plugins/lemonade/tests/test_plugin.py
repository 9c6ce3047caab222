"""The plugin registers a provider without importing anything heavy."""

from __future__ import annotations

import subprocess
import sys

from llamafarm import OPERATIONS
from llamafarm.providers.base import operations
from llamafarm_lemonade.config import LemonadeEntry
from llamafarm_lemonade.plugin import register_providers
from llamafarm_lemonade.provider import LemonadeProvider

HEAVY = ("httpx", "httpcore", "anyio", "psutil", "torch", "openai")


def test_it_registers_one_provider_with_a_service():
    [spec] = register_providers()
    assert (spec.name, spec.entry) == ("lemonade", LemonadeEntry)
    assert spec.service(LemonadeEntry(name="e", provider="lemonade", model="m")).name == "lemonade"


def test_it_can_do_what_the_server_has_and_translates_scores_and_sees_nothing():
    names = {row.name for row in OPERATIONS if not row.name.startswith("vision/")}
    names -= {"translations", "score", "classify", "ner", "audio/classify"}
    assert {row.name for row in operations(LemonadeProvider)} == names


def test_registering_imports_nothing_heavy():
    program = f"""
import sys
from llamafarm_lemonade.plugin import register_providers
[spec] = register_providers()
spec.endpoint(spec.entry(name="e", provider="lemonade", model="m"))
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"
