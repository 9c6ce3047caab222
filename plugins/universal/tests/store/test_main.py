"""The store as the server meets it: a process, a connection, commands and events."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from llamafarm_universal.messages import Failed, Stop, Unload
from llamafarm_universal.messages.model import ModelRef

PATIENCE = 90.0
HEAVY = ("torch", "transformers", "diffusers", "sentence_transformers", "numpy", "peft")


def test_a_store_imports_nothing_heavy_whatever_it_does() -> None:
    program = f"""
import sys
from llamafarm_universal.messages import Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store import loop, main
from llamafarm_universal.store.hub import locate, on_disk
from llamafarm_universal.store.plan import make_plan

ref = ModelRef("package:llamafarm_universal/demo_model")
make_plan(ref, locate(ref, print), Machine(), Limits())
on_disk(ref.id)
on_disk("org/model")
print([name for name in {HEAVY} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_store_ends_when_its_connection_closes(start_store: Callable[..., Any]) -> None:
    with start_store() as store:
        store.connection.close()
        store.process.join(PATIENCE)
        assert store.process.exitcode == 0


def test_a_store_ends_when_it_is_told_to_and_not_on_ctrl_c(start_store: Callable[..., Any]) -> None:
    with start_store() as store:
        os.kill(store.process.pid, signal.SIGINT)
        assert store.describe("package:llamafarm_universal/demo_model")
        store.send(Stop())
        store.process.join(PATIENCE)
        assert store.process.exitcode == 0


def test_what_is_no_request_of_a_store_harms_nothing(start_store: Callable[..., Any]) -> None:
    with start_store() as store:
        store.send(Unload("host's", ModelRef("farm/tiny")))
        assert isinstance(store.locate("package:nowhere/model").last, Failed)
