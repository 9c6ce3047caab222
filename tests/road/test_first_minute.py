"""What a newcomer does, with nothing running: `lf init`, `lf chat`, a look around, `lf stop`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from counting_model import counted
from farms import Farm, free_port

QUESTION = "What is LlamaFarm?"


def test_init_then_chat_answers_and_everything_is_shown_and_stopped(farm: Farm) -> None:
    farm.environ |= {"UNIVERSAL_RUNTIME_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    began = farm.lf("init")
    assert began.returncode == 0
    assert "lf chat" in began.stdout + began.stderr
    assert farm.lf("config", "validate").returncode == 0

    first = farm.lf("chat", QUESTION)

    assert first.returncode == 0, first.stderr
    assert "LlamaFarm" in first.stdout
    told = first.stderr.splitlines()
    assert told[0] == f"Starting the Universal Runtime at {farm.runtime}"
    assert told[1].startswith("Loading ")
    assert farm.lf("chat", QUESTION, "--temperature", "0").stderr == ""
    [listed] = json.loads(farm.lf("models", "list", "--json").stdout)
    assert (listed["id"], listed["default"], listed["reachable"]) == ("demo", True, True)
    [service] = json.loads(farm.lf("status", "--json").stdout)
    assert service["state"] == "running"
    assert "listens on" in farm.lf("logs").stdout
    assert "is stopped" in farm.lf("stop").stdout
    assert farm.services() == []


def test_two_first_chats_at_once_start_one_runtime_and_both_answer(road: Farm) -> None:
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: road.lf("chat", "Count", "--model", "brief"), range(2)))

    assert [(one.returncode, one.stdout) for one in done] == [(0, counted(3) + "\n")] * 2, done
    begun = "\n".join(one.stderr for one in done)
    assert begun.count("Starting the Universal Runtime") == 1
    assert len(road.services()) == 1
