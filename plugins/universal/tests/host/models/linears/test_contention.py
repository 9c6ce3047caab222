"""Threads that wait for a processor are told from those that run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from llamafarm_universal.host.models.linears import contention
from llamafarm_universal.host.models.linears.contention import watched


def spin(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="only Linux tells")
def test_who_shares_a_processor_waits_for_it() -> None:
    """Two processes on one processor: each waits for about half of the time."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            with watched() as shared:
                spin(0.3)
        finally:
            other.kill()
            other.wait()
    finally:
        os.sched_setaffinity(0, before)
    assert shared.share > 0.2


def test_who_waits_for_another_thread_has_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """That is all that is seen where the system does not tell, or where threads wait for one that has no processor."""
    monkeypatch.setattr(contention, "_THREADS", tmp_path)
    with watched() as found:
        spin(0.02)
        time.sleep(0.08)
    assert found.share > 0.5
