"""The address that a server listens on, and who can reach it."""

from __future__ import annotations

import socket

import pytest
from llamafarm.errors import UsageError
from llamafarm.http.address import is_loopback_host
from llamafarm.web.listener import listen, require_key, url_of


@pytest.mark.parametrize(("host", "own"), [
    ("localhost", True), ("LOCALHOST", True), ("127.0.0.1", True), ("127.1.2.3", True), ("127.9.9.9", True),
    ("::1", True), ("[::1]", True), ("0.0.0.0", False), ("::", False), ("example.org", False),
    ("192.168.0.1", False), ("192.0.2.1", False), ("", False),
])  # fmt: skip
def test_loopback_is_known_by_its_names(host, own):
    assert is_loopback_host(host) is own


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_an_address_that_others_can_reach_needs_a_key(host):
    with pytest.raises(UsageError, match="a key is needed") as refusal:
        require_key(host, None, variable="ACME_KEY")
    assert "ACME_KEY" in refusal.value.hint
    require_key(host, "k", variable="ACME_KEY")


def test_this_machine_alone_needs_none():
    require_key("127.0.0.1", None, variable="ACME_KEY")


def test_a_socket_listens_and_has_a_url():
    with listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        assert url_of(listener) == f"http://127.0.0.1:{port}"
        socket.create_connection((host, port)).close()


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_address_may_stand_in_brackets(host):
    with listen(host, 0) as listener:
        assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"


def test_every_address_is_every_address_of_either_kind():
    with listen("::", 0) as listener:
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, listener.getsockname()[1])).close()


def test_a_port_that_is_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} of 127.0.0.1 is in use") as refusal:
            listen("127.0.0.1", port)
    assert "--port" in refusal.value.hint


def test_an_address_of_another_machine_cannot_be_listened_on():
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1"):
        listen("192.0.2.1", 0)


def test_a_name_that_is_no_address_is_named():
    with pytest.raises(UsageError, match="There is no address 'no such host'"):
        listen("no such host", 0)
