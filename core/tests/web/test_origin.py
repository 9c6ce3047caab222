"""The names that a server answers to, and the web pages that may use it."""

from __future__ import annotations

import socket
from functools import partial

import pytest
from llamafarm.http.address import is_loopback_host
from llamafarm.web.origin import Names

PAGE = "http://localhost:3000"


@pytest.fixture
def guarded(serve):
    names = partial(Names, host_hint="Use localhost.", origin_hint="Allow it.")
    return lambda **given: serve(names=names(**{"hosts": is_loopback_host, "origins": PAGE.__eq__, **given}))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "169.254.169.254",
        "",
        "[::1",
        "[::1]x",
        "localhost:x@evil.example",
    ],
)
def test_a_foreign_host_name_is_refused(guarded, host):
    answer = guarded().get("/whoami", headers={"host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host_not_allowed")
    assert answer.json()["error"]["message"].endswith("\nUse localhost.")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "localhost.", "127.0.0.1:8000", "127.1.2.3", "[::1]:5"])
def test_the_servers_own_names_are_let_in(guarded, host):
    assert guarded().get("/whoami", headers={"host": host}).status_code == 200


def test_the_server_is_asked_for_the_bare_name(guarded):
    names = []
    client = guarded(hosts=lambda name: names.append(name) or True)
    for host in ("Farm.Local:80", "farm.local.", "[::1]:5", "a b"):
        client.get("/whoami", headers={"host": host})
    assert names == ["farm.local", "farm.local", "[::1]", ""]


@pytest.mark.parametrize("hosts", [b"", b"Host: localhost\r\nHost: localhost\r\n"])
def test_a_request_has_one_host(guarded, hosts):
    url = guarded().base_url
    with socket.create_connection((url.host, url.port)) as client:
        client.sendall(b"GET /whoami HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
        assert b"400 Bad Request" in client.makefile("rb").readline()


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "https://evil.example", "null", "http://localhost:3001", "http://localhost.evil.example"],
)
def test_a_foreign_web_page_is_refused(guarded, origin):
    answer = guarded().get("/whoami", headers={"origin": origin})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_not_allowed")
    assert answer.json()["error"]["message"] == f"Web pages from {origin} may not use this server.\nAllow it."


@pytest.mark.parametrize("header", ["host", "origin"])
def test_a_long_name_is_repeated_in_part(guarded, header):
    answer = guarded().get("/whoami", headers={header: "http://" * (header == "origin") + "x" * 5000})
    assert answer.status_code == 403
    assert len(answer.json()["error"]["message"]) < 200


def test_an_allowed_page_and_the_servers_own_may_ask(guarded):
    client = guarded()
    for origin in (PAGE, PAGE.upper(), str(client.base_url).rstrip("/")):
        assert client.get("/whoami", headers={"origin": origin}).status_code == 200
