"""What requests that wait keep in memory is bounded in bytes, not only in their number."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from llamafarm_universal.server.bodies import FREE_BYTES
from llamafarm_universal.server.settings import Settings
from runtime_servers import Running, serving, wait_until

LARGE = "x" * (FREE_BYTES + 500_000)


def running(server: Running) -> int:
    return sum(load.running for _, load in server.runtime.queue)


def test_a_large_body_is_refused_while_others_fill_the_memory_for_them_and_is_taken_after_that() -> None:
    with serving(Settings(max_held_bytes=1_200_000)) as server, ThreadPoolExecutor() as pool:
        content = [{"role": "user", "content": LARGE}, {"role": "user", "content": "a|<hang>"}]
        body = {"model": "echo/model", "messages": content, "stream": True}
        with (
            server.http.stream("POST", "/v1/chat/completions", json=body),
            server.http.stream("POST", "/v1/chat/completions", json=body),
        ):
            wait_until(lambda: running(server) == 2, "both are being answered")
            refused = server.chat(LARGE)
            assert refused.status_code == 429
            assert float(refused.headers["retry-after"]) > 0
            assert "of 1,200,000 that it may" in refused.json()["error"]["message"]
            assert server.chat("short").status_code == 200, "others with little to say are not turned away"
        wait_until(lambda: running(server) == 0, "both clients have gone")
        assert all(answer.status_code == 200 for answer in pool.map(server.chat, [LARGE, LARGE]))


def test_bytes_are_given_back_whatever_becomes_of_a_request() -> None:
    with serving(Settings(max_held_bytes=600_000)) as server:
        for _ in range(5):
            assert server.chat(LARGE, model="no such model").status_code == 400
            assert server.chat(LARGE, nonsense=1).status_code == 400
            assert server.chat(LARGE).status_code == 200


def test_one_that_is_alone_is_taken_whatever_else_bounds_it() -> None:
    """A request with pictures may be larger than all others together: later it would be no smaller."""
    with serving(Settings(max_held_bytes=1000)) as server:
        assert server.chat(LARGE).status_code == 200
