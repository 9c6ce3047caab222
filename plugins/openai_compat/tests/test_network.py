"""Proxies and certificates as the environment names them, whichever way the connections are made.

A direct connection comes from our own pool, one through a proxy from httpx's: what is said here of certificates, errors
and names is tried on both.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from llamafarm.errors import ConfigError, ConnectionFailed, ProviderError
from llamafarm.providers.base import Call
from llamafarm.wire import sse
from llamafarm_kit.testing.upstream import Asked, Peer, ScriptedUpstream, answering, streaming
from llamafarm_openai_compat.config import OpenAIEntry, endpoint
from llamafarm_openai_compat.provider import OpenAIProvider
from openai_networks import NAME, Authority, Plain, Proxy, TlsUpstream, resolve, without_settings

pytestmark = pytest.mark.anyio
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
COMPLETION = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [CHOICE]}
CHUNK = sse.encode({"id": "c", "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}]})
WRITTEN = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    without_settings(monkeypatch)
    monkeypatch.setattr("llamafarm.http.upstream.CONNECT_BACKOFF", 0.001)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority.made(tmp_path_factory.mktemp("authority"))


def entry(base_url: str) -> OpenAIEntry:
    return OpenAIEntry(name="m", provider="openai", model="m", base_url=base_url, timeouts={"connect": 10})


async def said(base_url: str, *, stream: bool = False) -> str:
    """The answer of the model at `base_url`, asked through the provider."""
    one = entry(base_url)
    provider = OpenAIProvider(endpoint(one))
    try:
        request = {"messages": [{"role": "user", "content": "Hi"}], "stream": stream}
        reply = await provider.chat(request, Call(entry=one, request_id="r"))
        return (await reply.completion())["choices"][0]["message"]["content"]
    finally:
        await provider.aclose()


async def refusal(base_url: str) -> ProviderError:
    """The error that it is instead."""
    with pytest.raises(ProviderError) as caught:
        await said(base_url)
    return caught.value


class TestProxies:
    @pytest.mark.parametrize("variable", WRITTEN)
    async def test_a_server_elsewhere_is_asked_through_the_proxy(self, monkeypatch, variable):
        async with ScriptedUpstream(answering(COMPLETION)) as server:
            async with Proxy({f"{NAME}:80": server.port}) as proxy:
                monkeypatch.setenv(variable, proxy.url)
                assert await said(f"http://{NAME}") == "Hello"
                assert proxy.asked == [f"POST http://{NAME}/v1/chat/completions HTTP/1.1"]
            assert server.requests[0].headers["host"] == NAME

    @pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy"])
    async def test_tls_goes_through_a_tunnel(self, monkeypatch, authority, variable):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        async with (
            TlsUpstream(authority, answering(COMPLETION)) as server,
            Proxy({f"{NAME}:443": server.port}) as proxy,
        ):
            monkeypatch.setenv(variable, proxy.url)
            assert await said(f"https://{NAME}") == "Hello"
            assert proxy.asked == [f"CONNECT {NAME}:443 HTTP/1.1"]

    async def test_streams_come_through_a_tunnel_one_after_another(self, monkeypatch, authority):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        async with (
            TlsUpstream(authority, streaming(CHUNK, sse.DONE)) as server,
            Proxy({f"{NAME}:443": server.port}) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            assert [await said(f"https://{NAME}", stream=True) for _ in range(3)] == ["Hello"] * 3

    async def test_the_proxy_of_one_scheme_is_not_that_of_the_other(self, monkeypatch):
        resolve(monkeypatch, NAME)
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        async with ScriptedUpstream(answering(COMPLETION)) as server:
            assert await said(f"http://{NAME}:{server.port}") == "Hello"

    async def test_a_proxy_may_be_written_without_its_scheme(self, monkeypatch):
        async with ScriptedUpstream(answering(COMPLETION)) as server, Proxy({f"{NAME}:80": server.port}) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{proxy.port}")
            assert await said(f"http://{NAME}") == "Hello"

    async def test_a_proxy_may_speak_tls_itself_and_its_certificate_is_checked_the_same_way(
        self, monkeypatch, authority
    ):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        async with (
            ScriptedUpstream(answering(COMPLETION)) as server,
            Proxy({f"{NAME}:80": server.port}, tls=authority.context("127.0.0.1")) as proxy,
        ):
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            assert await said(f"http://{NAME}") == "Hello"
            monkeypatch.delenv("SSL_CERT_FILE")
            error = await refusal(f"http://{NAME}")
            assert f"through the proxy {proxy.url}" in error.message
            assert "not trusted" in (error.hint or "")

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "models.localhost"])
    async def test_this_machine_is_never_asked_through_a_proxy(self, monkeypatch, host):
        resolve(monkeypatch, "models.localhost")
        for variable in ("HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(variable, "http://127.0.0.1:9")
        async with ScriptedUpstream(answering(COMPLETION)) as server:
            assert await said(f"http://{host}:{server.port}") == "Hello"

    @pytest.mark.parametrize("tasks", [1, 16])
    async def test_two_hundred_streams_are_sent_once_each_to_a_server_that_closes_after_every_one(
        self, monkeypatch, tasks
    ):
        """It promises to keep the connection, which through a proxy cannot be told from one that is lost."""

        async def closes(asked: Asked, peer: Peer) -> None:
            await peer.stream(CHUNK, sse.DONE)
            peer.close()

        async def ask(provider: OpenAIProvider, one: OpenAIEntry) -> None:
            for _ in range(200 // tasks):
                reply = await provider.chat({"messages": [], "stream": True}, Call(entry=one, request_id="r"))
                assert [frame async for frame in reply.frames()] == [CHUNK, sse.DONE]

        async with ScriptedUpstream(closes) as server, Proxy({f"{NAME}:80": server.port}) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            one = entry(f"http://{NAME}")
            provider = OpenAIProvider(endpoint(one))
            await asyncio.gather(*(ask(provider, one) for _ in range(tasks)))
            await provider.aclose()
            assert len(server.requests) == 200 // tasks * tasks


class TestHostsWithoutAProxy:
    @pytest.mark.parametrize(
        "without", [NAME, "test", ".test", "other.example, " + NAME, NAME.upper(), f"{NAME}:PORT", "*"]
    )
    @pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
    async def test_they_are_asked_directly(self, monkeypatch, variable, without):
        resolve(monkeypatch, NAME)
        async with ScriptedUpstream(answering(COMPLETION)) as server:
            monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
            monkeypatch.setenv(variable, without.replace("PORT", str(server.port)))
            assert await said(f"http://{NAME}:{server.port}") == "Hello"

    @pytest.mark.parametrize("without", ["dels.test", f"my.{NAME}", f"{NAME}:1", "example.test"])
    async def test_a_host_that_is_only_like_one_of_them_is_not(self, monkeypatch, without):
        async with ScriptedUpstream(answering(COMPLETION)) as server, Proxy({f"{NAME}:8080": server.port}) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", without)
            assert await said(f"http://{NAME}:8080") == "Hello"
            assert len(proxy.asked) == 1


class TestProxiesWithCredentials:
    @pytest.mark.parametrize("scheme, port", [("http", 80), ("https", 443)])
    async def test_they_are_taken_from_the_address_percent_encoded(self, monkeypatch, authority, scheme, port):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        server = (
            TlsUpstream(authority, answering(COMPLETION)) if port == 443 else ScriptedUpstream(answering(COMPLETION))
        )
        async with server, Proxy({f"{NAME}:{port}": server.port}, credentials="ann:p@ss:word") as proxy:
            monkeypatch.setenv(f"{scheme}_proxy", f"http://ann:p%40ss%3Aword@127.0.0.1:{proxy.port}")
            assert await said(f"{scheme}://{NAME}") == "Hello"
            assert "proxy-authorization" not in server.requests[0].headers

    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize(
        "given, hint", [("", "wants credentials"), ("ann:secret@", "a password that it does not accept")]
    )
    async def test_without_them_the_error_names_the_proxy_and_no_password(self, monkeypatch, scheme, given, hint):
        async with Proxy({}, credentials="ann:right") as proxy:
            monkeypatch.setenv(f"{scheme}_proxy", f"http://{given}127.0.0.1:{proxy.port}")
            error = await refusal(f"{scheme}://{NAME}")
            assert isinstance(error, ConnectionFailed)
            assert f"through the proxy {proxy.url}: 407" in error.message
            assert hint in (error.hint or "")
            assert f"{scheme.upper()}_PROXY" in (error.hint or "")
            assert "secret" not in str(error)
            assert len(proxy.asked) == 1


class TestProxiesThatFail:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_one_that_is_down_is_named(self, monkeypatch, scheme):
        async with Proxy({}) as proxy:
            pass
        monkeypatch.setenv("ALL_PROXY", f"http://ann:secret@127.0.0.1:{proxy.port}")
        error = await refusal(f"{scheme}://{NAME}")
        assert isinstance(error, ConnectionFailed)
        assert f"openai at {scheme}://{NAME}/v1 through the proxy {proxy.url}" in error.message
        assert error.hint == "Is the proxy running? ALL_PROXY names the proxy; NO_PROXY names the hosts that need none."
        assert "secret" not in str(error)

    async def test_one_that_forbids_the_host_is_asked_once(self, monkeypatch):
        async with Proxy({}, refuses=403) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            error = await refusal(f"https://{NAME}")
            assert f"through the proxy {proxy.url}: 403" in error.message
            assert error.code == "proxy_refused"
            assert len(proxy.asked) == 1

    async def test_one_that_cannot_reach_the_host_is_asked_again(self, monkeypatch):
        async with Proxy({}, refuses=502) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            error = await refusal(f"https://{NAME}")
            assert f"through the proxy {proxy.url}: 502" in error.message
            assert len(proxy.asked) == 3

    @pytest.mark.parametrize("status", [403, 502])
    async def test_the_page_of_a_proxy_in_the_place_of_an_answer_is_told_from_one(self, monkeypatch, status):
        async with Proxy({}, refuses=status) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            error = await refusal(f"http://{NAME}")
            assert error.status == status
            assert error.hint == f"It was asked through the proxy {proxy.url}."

    @pytest.mark.parametrize(
        "address, hint",
        [
            ("socks5://ann:secret@127.0.0.1:port", "socks5://proxy.example:1080"),
            ("socks4://ann:secret@127.0.0.1:9", "socks5://proxy.example:1080"),
            ("gopher://ann:secret@127.0.0.1:9", "http://proxy.example:3128"),
            ("http://ann:secret@127.0.0.1:port", "http://proxy.example:3128"),
            ("http://ann:sec#ret@127.0.0.1:9", "http://proxy.example:3128"),
        ],
    )
    async def test_one_of_a_kind_that_cannot_be_used_is_an_error_of_the_variable(self, monkeypatch, address, hint):
        monkeypatch.setenv("ALL_PROXY", address)
        with pytest.raises(ConfigError, match="ALL_PROXY names") as caught:
            await said(f"http://{NAME}")
        assert hint in (caught.value.hint or "")
        assert "sec" not in str(caught.value)


@pytest.fixture(params=["direct", "through a proxy"])
async def asking(request, monkeypatch, authority):
    """asking(server) is the address of a TLS server by its name, reached directly or through a proxy."""
    proxies = []

    async def reach(server: TlsUpstream | Plain) -> str:
        if request.param == "direct":
            resolve(monkeypatch, NAME)
        else:
            proxies.append(Proxy({f"{NAME}:{server.port}": server.port}))
            await proxies[-1].__aenter__()
            monkeypatch.setenv("HTTPS_PROXY", proxies[-1].url)
        return f"https://{NAME}:{server.port}"

    yield reach
    for proxy in proxies:
        await proxy.__aexit__()


class TestCertificates:
    @pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    async def test_an_authority_of_ones_own_is_trusted_by_its_file(self, monkeypatch, authority, asking, variable):
        monkeypatch.setenv(variable, str(authority.file))
        async with TlsUpstream(authority, answering(COMPLETION)) as server:
            assert await said(await asking(server)) == "Hello"

    @pytest.mark.parametrize("variable", ["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
    async def test_and_by_a_folder_with_it(self, monkeypatch, authority, asking, variable):
        monkeypatch.setenv(variable, str(authority.hashed()))
        async with TlsUpstream(authority, answering(COMPLETION)) as server:
            assert await said(await asking(server)) == "Hello"

    async def test_and_by_several_folders(self, monkeypatch, authority, tmp_path, asking):
        monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}:{authority.hashed()}")
        async with TlsUpstream(authority, answering(COMPLETION)) as server:
            assert await said(await asking(server)) == "Hello"

    async def test_a_stream_over_tls_and_connections_that_are_used_again(self, monkeypatch, authority, asking):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        async with TlsUpstream(authority, streaming(CHUNK, sse.DONE)) as server:
            assert await said(await asking(server), stream=True) == "Hello"

    async def test_one_that_nobody_knows_is_an_error_that_says_what_to_do(self, authority, asking):
        async with TlsUpstream(authority, answering(COMPLETION)) as server:
            error = await refusal(await asking(server))
            assert isinstance(error, ConnectionFailed)
            assert "certificate verify failed" in error.message
            assert "SSL_CERT_FILE" in (error.hint or "")
            assert error.code == "tls_failed"
            assert server.requests == []

    async def test_since_trying_again_is_no_use_it_is_asked_once(self, monkeypatch, authority):
        async with (
            TlsUpstream(authority, answering(COMPLETION)) as server,
            Proxy({f"{NAME}:443": server.port}) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            assert (await refusal(f"https://{NAME}")).code == "tls_failed"
            assert len(proxy.asked) == 1

    async def test_a_certificate_for_another_host_is_an_error_of_its_own(self, monkeypatch, authority, asking):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        async with TlsUpstream(authority, answering(COMPLETION), names=("other.test",)) as server:
            error = await refusal(await asking(server))
            assert f"not valid for '{NAME}'" in error.message
            assert "another name" in (error.hint or "")
            assert server.requests == []

    async def test_and_so_is_one_for_another_address(self, monkeypatch, authority):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        async with TlsUpstream(authority, answering(COMPLETION), names=("127.0.0.2",)) as server:
            error = await refusal(f"https://127.0.0.1:{server.port}")
            assert "another name" in (error.hint or "")

    async def test_a_certificate_that_has_expired_is_an_error_of_its_own(self, monkeypatch, authority, asking):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        past = datetime.now(UTC) - timedelta(days=1)
        async with TlsUpstream(authority, answering(COMPLETION), until=past) as server:
            error = await refusal(await asking(server))
            assert "certificate has expired" in error.message
            assert "renewed" in (error.hint or "")

    async def test_a_server_that_speaks_no_tls_is_an_error_of_its_own(self, asking):
        async with Plain() as server:
            error = await refusal(await asking(server))
            assert isinstance(error, ConnectionFailed)
            assert "may have to begin with http://" in (error.hint or "")
            assert server.connections == 1


class TestTheVariablesOfCertificates:
    ORDER = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

    @pytest.mark.parametrize("wins", ORDER)
    async def test_the_first_that_is_set_wins(self, monkeypatch, authority, tmp_path, wins):
        """The ones after it name what does not exist, which would be an error if anybody looked."""
        for variable in self.ORDER[self.ORDER.index(wins) + 1 :]:
            monkeypatch.setenv(variable, str(tmp_path / "nowhere"))
        monkeypatch.setenv(wins, str(authority.hashed() if wins == "SSL_CERT_DIR" else authority.file))
        async with TlsUpstream(authority, answering(COMPLETION), names=("localhost",)) as server:
            assert await said(f"https://localhost:{server.port}") == "Hello"

    async def test_an_empty_one_is_not_set(self, monkeypatch, authority):
        monkeypatch.setenv("SSL_CERT_FILE", "")
        monkeypatch.setenv("CURL_CA_BUNDLE", str(authority.file))
        async with TlsUpstream(authority, answering(COMPLETION), names=("localhost",)) as server:
            assert await said(f"https://localhost:{server.port}") == "Hello"

    @pytest.mark.parametrize("variable", ORDER)
    async def test_what_does_not_exist_is_an_error_that_names_the_variable(self, monkeypatch, tmp_path, variable):
        monkeypatch.setenv(variable, str(tmp_path / "nowhere"))
        with pytest.raises(ConfigError, match=f"{variable} names .*nowhere, which does not exist"):
            await said(f"https://{NAME}")

    async def test_what_holds_no_certificates_is_one_too(self, monkeypatch, tmp_path):
        (tmp_path / "notes.txt").write_text("No certificate.")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "notes.txt"))
        with pytest.raises(ConfigError, match=r"SSL_CERT_FILE names .*notes\.txt, which holds no certificates"):
            await said(f"https://{NAME}")

    async def test_a_server_without_tls_needs_none_of_them(self, monkeypatch, tmp_path):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere"))
        async with ScriptedUpstream(answering(COMPLETION)) as server:
            assert await said(server.base_url) == "Hello"
