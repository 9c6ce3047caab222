"""Whichever process is killed while requests run: each ends with an answer or a proper error, and the next works.

`benchmarks/chaos.py` does the same to real models, and more often.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from kills import ANSWERED, KINDS, ROLES, Asking, Chaos, Service

KILLS = 6
PROGRAM = Path(__file__).with_name("scripted_server.py")


@pytest.mark.skipif(sys.platform != "linux", reason="the processes are told apart by the names that Linux shows")
def test_whoever_is_killed_no_request_is_lost_without_a_word(tmp_path):
    service = Service([str(PROGRAM)], tmp_path / "log", {})
    try:
        asking = Asking(service.port, "echo/model", "echo/embedder")
        asking.learn()
        chaos = Chaos(service, asking, seed=11)
        with chaos.clients(4):
            chaos.run(KILLS, impatient=0.3)
            chaos.wait_for_success()
    finally:
        left = service.close()
    assert left == []
    assert chaos.broken == []
    assert {outcome.kind for outcome in chaos.outcomes if outcome.result == ANSWERED} == set(KINDS)
    assert {kill.role for kill in chaos.kills} == set(ROLES)
