"""After some errors of a GPU every further call fails: a process that has seen one makes room for another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from broken_device import run_with_broken_device
from llamafarm_universal.messages import ModelRef

PATIENCE = 60.0


@pytest.mark.parametrize("ask", ["generate", "embed"])
def test_a_host_says_what_has_happened_and_ends(start_host: Callable[..., Any], llama: ModelRef, ask: str) -> None:
    with start_host(target=run_with_broken_device) as host:
        failed = getattr(host, ask)(llama, "hello").failed
        host.process.join(PATIENCE)
        assert host.process.exitcode == 1
    assert failed.kind == "internal"
    assert "device-side assert" in failed.message
    assert failed.ends_host
