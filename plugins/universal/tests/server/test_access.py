"""Who may use the server: names, origins and keys, on every route."""

from __future__ import annotations

import pytest
from llamafarm_universal.server.settings import Settings
from runtime_servers import serving

PATHS = ["/health", "/v1/models", "/v1/models/a/b", "/nowhere", "//v1/models", "/health/live/"]


@pytest.fixture(scope="module")
def locked():
    with serving(Settings(api_key="a key")) as server:
        yield server


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "a key"}])
def test_without_the_key_every_route_is_closed(locked, path, headers):
    response = locked.http.get(path, headers=headers)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"
    assert response.headers["www-authenticate"] == "Bearer"


def test_with_the_key_routes_are_open(locked):
    assert locked.http.get("/health", headers={"Authorization": "Bearer a key"}).status_code == 200
    assert locked.http.get("/nowhere", headers={"Authorization": "bearer a key"}).status_code == 404


def test_liveness_needs_no_key(locked):
    assert locked.http.get("/health/live").json() == {"status": "ok"}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""])
def test_a_foreign_host_name_is_refused(shared, host):
    response = shared.http.get("/health", headers={"Host": host})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "host_not_allowed"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:11540", "[::1]:5"])
def test_the_machines_own_names_are_let_in(shared, host):
    assert shared.http.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example"])
def test_pages_of_other_sites_are_refused(shared, origin):
    response = shared.http.get("/health", headers={"Origin": origin})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "origin_not_allowed"


def test_pages_of_this_machine_are_let_in(shared):
    assert shared.http.get("/health", headers={"Origin": "http://localhost:3000"}).status_code == 200


def test_a_clients_request_id_is_echoed_and_never_used(shared):
    first = shared.http.post("/v1/chat/completions", json=BODY, headers={"X-Request-ID": "mine"})
    second = shared.http.post("/v1/chat/completions", json=BODY, headers={"X-Request-ID": "mine"})
    assert first.headers["x-request-id"] == second.headers["x-request-id"] == "mine"
    assert first.json()["id"] != second.json()["id"]


BODY = {"model": "echo/model", "messages": [{"role": "user", "content": "a"}]}


def test_an_answer_is_named_after_our_own_id(shared):
    response = shared.http.post("/v1/chat/completions", json=BODY, headers={"X-Request-ID": "a b"})
    ours = response.headers["x-request-id"]
    assert response.json()["id"] == f"chatcmpl-{ours}"
    assert response.headers["x-lf-request-id"] == ours
