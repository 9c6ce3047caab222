"""SOCKS5 proxies: they come from the environment like any other, and look up the names of servers themselves."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm.errors import ConnectionFailed
from llamafarm.wire import sse
from llamafarm_kit.testing.upstream import Asked, Peer, ScriptedUpstream, answering
from openai_asking import COMPLETION, Asking
from openai_networks import NAME, Authority, Plain, TlsUpstream, without_settings
from openai_socks import SocksProxy

pytestmark = pytest.mark.anyio
ANN = ("ann", "p@ss:word")
CHUNK = sse.encode({"id": "c", "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}]})


class At:
    """A server of which only the address matters."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    without_settings(monkeypatch)
    monkeypatch.setattr("llamafarm.http.upstream.CONNECT_BACKOFF", 0.001)


async def said(base_url: str) -> str:
    async with Asking(At(base_url)) as asking:
        completion = await (await asking.chat()).completion()
        return completion["choices"][0]["message"]["content"]


async def refusal(base_url: str, **more: object) -> ConnectionFailed:
    async with Asking(At(base_url), **more) as asking:
        with pytest.raises(ConnectionFailed) as caught:
            await asking.chat()
    return caught.value


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks"])
@pytest.mark.parametrize("pieces", [False, True])
async def test_a_server_elsewhere_is_asked_through_it(monkeypatch, scheme, pieces):
    async with (
        ScriptedUpstream(answering(COMPLETION)) as server,
        SocksProxy({f"{NAME}:80": server.port}, pieces=pieces) as proxy,
    ):
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://{proxy.address}")
        assert await said(f"http://{NAME}") == "Hello"
        assert proxy.asked == [f"{NAME}:80"]
        assert server.requests[0].headers["host"] == NAME


async def test_a_server_that_is_named_by_its_number_is_asked_for_by_it(monkeypatch):
    async with (
        ScriptedUpstream(answering(COMPLETION)) as server,
        SocksProxy({"192.0.2.7:8000": server.port}) as proxy,
    ):
        monkeypatch.setenv("ALL_PROXY", f"socks5://{proxy.address}")
        assert await said("http://192.0.2.7:8000") == "Hello"


async def test_tls_is_spoken_with_the_server_and_its_certificate_checked(monkeypatch, tmp_path):
    authority = Authority.made(tmp_path)
    async with (
        TlsUpstream(authority, answering(COMPLETION)) as server,
        SocksProxy({f"{NAME}:443": server.port}) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"socks5://{proxy.address}")
        error = await refusal(f"https://{NAME}")
        assert "not trusted" in (error.hint or "")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert await said(f"https://{NAME}") == "Hello"


async def test_credentials_are_taken_from_the_address_percent_encoded(monkeypatch):
    async with (
        ScriptedUpstream(answering(COMPLETION)) as server,
        SocksProxy({f"{NAME}:80": server.port}, credentials=ANN) as proxy,
    ):
        monkeypatch.setenv("HTTP_PROXY", f"socks5://ann:p%40ss%3Aword@{proxy.address}")
        assert await said(f"http://{NAME}") == "Hello"


@pytest.mark.parametrize(
    ("given", "hint"),
    [("", "as in socks5://USER:PASSWORD@127.0.0.1"), ("ann:secret@", "a password that it does not accept")],
)
async def test_without_them_the_error_names_the_proxy_and_no_password(monkeypatch, given, hint):
    async with SocksProxy({}, credentials=ANN) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"socks5://{given}{proxy.address}")
        error = await refusal(f"http://{NAME}")
        assert f"through the proxy socks5://{proxy.address}: it wants to know who asks" in error.message
        assert hint in (error.hint or "")
        assert "HTTP_PROXY" in (error.hint or "")
        assert "secret" not in str(error)
        assert proxy.connections == 1


async def test_a_server_that_it_cannot_reach_is_asked_for_again_and_named(monkeypatch):
    async with SocksProxy({}, replies=4) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5://{proxy.address}")
        error = await refusal(f"http://{NAME}")
        assert f"socks5://{proxy.address}: it cannot connect to {NAME}: host unreachable" in error.message
        assert error.hint == "ALL_PROXY names the proxy; NO_PROXY names the hosts that need none."
        assert proxy.asked == [f"{NAME}:80"] * 3


async def test_one_that_closes_the_connection_is_named(monkeypatch):
    async with SocksProxy({}, dies=True) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5://{proxy.address}")
        error = await refusal(f"http://{NAME}")
        assert f"through the proxy socks5://{proxy.address}: it closed the connection" in error.message


async def test_one_that_is_down_is_named(monkeypatch):
    async with SocksProxy({}) as proxy:
        pass
    monkeypatch.setenv("ALL_PROXY", f"socks5://{proxy.address}")
    error = await refusal(f"http://{NAME}")
    assert f"through the proxy socks5://{proxy.address}" in error.message
    assert (error.hint or "").startswith("Is the proxy running?")


async def test_an_http_proxy_in_its_place_is_told(monkeypatch):
    async with Plain() as server:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{server.port}")
        error = await refusal(f"http://{NAME}")
        assert f"through the proxy socks5://127.0.0.1:{server.port}: it does not speak SOCKS5" in error.message


async def test_one_that_says_nothing_is_waited_for_as_long_as_for_a_connection(monkeypatch):
    async with ScriptedUpstream() as mute:
        address = mute.base_url.removeprefix("http://").removesuffix("/v1")
        monkeypatch.setenv("ALL_PROXY", f"socks5://{address}")
        error = await refusal(f"http://{NAME}", timeouts={"connect": 0.05})
        assert "no answer within 0.05 s" in error.message


@pytest.mark.parametrize("tasks", [1, 16])
async def test_streams_are_sent_once_each_to_a_server_that_closes_after_every_one(monkeypatch, tasks):
    async def closes(asked: Asked, peer: Peer) -> None:
        await peer.stream(CHUNK, sse.DONE)
        peer.close()

    async def ask(asking: Asking) -> None:
        for _ in range(200 // tasks):
            reply = await asking.chat(stream=True)
            assert [frame async for frame in reply.frames()] == [CHUNK, sse.DONE]

    async with ScriptedUpstream(closes) as server, SocksProxy({f"{NAME}:80": server.port}) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5://{proxy.address}")
        async with Asking(At(f"http://{NAME}")) as asking:
            await asyncio.gather(*(ask(asking) for _ in range(tasks)))
        assert len(server.requests) == 200 // tasks * tasks


async def test_a_connection_is_used_again(monkeypatch):
    async with (
        ScriptedUpstream(answering(COMPLETION)) as server,
        SocksProxy({f"{NAME}:80": server.port}) as proxy,
    ):
        monkeypatch.setenv("ALL_PROXY", f"socks5://{proxy.address}")
        async with Asking(At(f"http://{NAME}")) as asking:
            for _ in range(3):
                await (await asking.chat()).completion()
        assert proxy.connections == 1
