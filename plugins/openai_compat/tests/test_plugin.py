"""The plugin registers a provider without importing anything heavy."""

from __future__ import annotations

import subprocess
import sys

from llamafarm_openai_compat.config import OpenAIEntry
from llamafarm_openai_compat.plugin import register_providers


def test_it_registers_one_provider_without_a_service():
    [spec] = register_providers()
    assert (spec.name, spec.entry, spec.service) == ("openai", OpenAIEntry, None)


def test_registering_imports_neither_http_nor_tls():
    program = """
import sys
from llamafarm_openai_compat.plugin import register_providers
[spec] = register_providers()
spec.endpoint(spec.entry(name="e", provider="openai", model="m"))
print([name for name in ("httpx", "httpcore", "anyio", "torch", "openai") if name in sys.modules])
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"
