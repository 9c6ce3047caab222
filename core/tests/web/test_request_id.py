"""Every answer carries our id and echoes the client's; the log has one line for each."""

from __future__ import annotations

import pytest


def test_every_answer_carries_our_id(serve):
    client = serve()
    first, second = client.get("/whoami"), client.get("/whoami")
    assert first.headers["x-request-id"] == first.headers["x-lf-request-id"] == first.json()["id"]
    assert first.json()["id"] != second.json()["id"]
    assert "server" not in first.headers


def test_a_clients_id_is_echoed_and_never_used(serve):
    client = serve()
    first, second = (client.get("/whoami", headers={"x-request-id": "mine"}) for _ in range(2))
    assert first.headers["x-request-id"] == second.headers["x-request-id"] == "mine"
    assert first.json()["id"] == first.headers["x-lf-request-id"] != second.json()["id"]


@pytest.mark.parametrize("shown", ["", "a b", "x" * 201, "x" * 300])
def test_an_id_that_cannot_be_echoed_is_replaced(serve, shown):
    answer = serve().get("/whoami", headers={"x-request-id": shown})
    assert answer.headers["x-request-id"] == answer.json()["id"]


def test_errors_carry_the_ids_too(serve):
    answer = serve().get("/nowhere", headers={"x-request-id": "mine"})
    assert answer.headers["x-request-id"] == "mine"
    assert answer.headers["x-lf-request-id"].startswith("req_")


def test_the_access_log_has_one_line_for_a_request_whatever_its_path(serve, until, caplog):
    client = serve()
    with caplog.at_level("INFO", logger="llamafarm.access"):
        answer = client.get("/a%0Ab")
        until(lambda: caplog.records)  # the line follows the answer
    (record,) = caplog.records
    assert record.getMessage().startswith("GET /a%0Ab 404 ")
    assert record.getMessage().endswith(answer.headers["x-lf-request-id"])
