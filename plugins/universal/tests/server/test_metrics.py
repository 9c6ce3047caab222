"""What the runtime counts, as Prometheus reads it."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import httpx
import pytest
from llamafarm_universal.server.settings import Settings
from prometheus_client.parser import text_string_to_metric_families
from runtime_servers import BOUND, Running, ServerProcess, serving, wait_until

HANG = {"model": "echo/model", "messages": [{"role": "user", "content": "a|<hang>"}], "stream": True}
_SAMPLE = re.compile(r"(llamafarm:\w+)(?:\{(.*)\})? (\d+)")


def told(server: Running) -> dict[str, int]:
    """The samples, by their names with their labels."""
    answer = server.http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.endswith("\n")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    matches = [_SAMPLE.fullmatch(line) for line in lines]
    assert None not in matches, lines
    return {f"{match[1]}{{{match[2] or ''}}}": int(match[3]) for match in matches if match}


def test_every_sample_has_a_description_and_a_type(own: Running) -> None:
    own.chat("a")
    lines = own.http.get("/metrics").text.splitlines()
    types = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE ")}
    described = {line.split()[2] for line in lines if line.startswith("# HELP ")}
    assert described == set(types)
    assert set(types.values()) == {"counter", "gauge"}
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in types.items())
    assert {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")} <= set(types)


def test_requests_are_counted_by_operation_and_status(own: Running) -> None:
    own.chat("a")
    own.chat("a", stream=True)
    own.chat("a", nonsense=1)
    own.chat("a", model="refuse/busy")
    own.http.get("/v1/models/echo/model")
    own.http.get("/v1/nowhere")
    own.http.get("/health")
    counted = {name: count for name, count in told(own).items() if "requests_total" in name}
    assert counted == {
        'llamafarm:requests_total{operation="chat/completions",status="200"}': 2,
        'llamafarm:requests_total{operation="chat/completions",status="400"}': 1,
        'llamafarm:requests_total{operation="chat/completions",status="429"}': 1,
        'llamafarm:requests_total{operation="models/{name}",status="200"}': 1,
    }


def test_queues_models_and_memory_are_told_as_they_are(own: Running) -> None:
    with own.http.stream("POST", "/v1/chat/completions", json=HANG) as answer:
        pieces = answer.iter_raw()  # kept: an iterator that nobody holds closes the connection
        next(pieces)
        now = told(own)
        assert now['llamafarm:running{model_name="echo/model",operation="chat"}'] == 1
        assert now['llamafarm:waiting{model_name="echo/model",operation="chat"}'] == 0
        assert now['llamafarm:model_bytes{model_name="echo/model",device="cpu"}'] == 40
        assert now["llamafarm:held_body_bytes{}"] == 0


def test_a_process_that_dies_is_counted(own: Running) -> None:
    assert told(own)['llamafarm:restarts_total{process="engine host"}'] == 0
    own.host_is("ready")
    os.kill(own.runtime.fleet.main.pid or 0, signal.SIGKILL)
    wait_until(lambda: told(own)['llamafarm:restarts_total{process="engine host"}'] == 1, "its death is counted")
    assert told(own)['llamafarm:restarts_total{process="store"}'] == 0


def test_a_name_cannot_break_a_line(own: Running) -> None:
    own.runtime.requests['a"b\\c\nd', 200] += 1
    assert 'llamafarm:requests_total{operation="a\\"b\\\\c\\nd",status="200"}' in told(own)


def test_who_scrapes_keeps_no_server_up(own: Running) -> None:
    told(own)
    before = own.runtime.activity.idle_seconds
    told(own)
    assert own.runtime.activity.idle_seconds >= before


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"Authorization": "Bearer key"}, 200)])
def test_a_server_with_a_key_tells_who_has_it(headers: dict[str, str], status: int) -> None:
    with serving(Settings(api_key="key")) as server:
        assert httpx.get(f"{server.url}/metrics", headers=headers).status_code == status


def counted_of(server: ServerProcess, model: Path) -> dict[str, float]:
    """What the engine of a model counts, as Prometheus' own parser reads it; without the buckets of histograms."""
    families = list(text_string_to_metric_families(server.get("/metrics").text))
    assert all(family.documentation for family in families)
    samples = [sample for family in families for sample in family.samples if "le" not in sample.labels]
    return {s.name: s.value for s in samples if s.labels.get("model_name") == str(model)}


def test_answers_are_counted_and_timed_by_the_engine(real: ServerProcess, llama: Path) -> None:
    before = counted_of(real, llama)
    asked = {"model": str(llama), "prompt": "hello world", "max_tokens": 5, "temperature": 0, "ignore_eos": True}
    usage = httpx.post(f"{real.url}/v1/completions", json=asked, timeout=BOUND).json()["usage"]

    def grown(name: str) -> float:
        return counted_of(real, llama).get(f"llamafarm:{name}", 0) - before.get(f"llamafarm:{name}", 0)

    wait_until(lambda: grown("request_success_total") == 1, "the answer is counted")
    assert grown("prompt_tokens_total") == usage["prompt_tokens"]
    assert grown("generation_tokens_total") == usage["completion_tokens"] == 5
    assert grown("time_to_first_token_seconds_count") == 1
    assert grown("inter_token_latency_seconds_count") == 4
    assert grown("e2e_request_latency_seconds_count") == 1
    assert counted_of(real, llama)["llamafarm:num_requests_running"] == 0
