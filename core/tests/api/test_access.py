"""Who may ask: the key on every route, the names that the server answers to, the web pages that may use it."""

from __future__ import annotations

import httpx
import pytest
from llamafarm.api.app import routes
from llamafarm.api.settings import Limits
from llamafarm.errors import UsageError
from llamafarm.version import VERSION

KEY = "s3cret-key"
HI = {"messages": [{"role": "user", "content": "Hi"}]}


def every_route(server) -> list[tuple[str, str]]:
    """Each method and path of the application, with names filled in, and one that does not exist."""
    found = [("GET", "/v1/nothing"), ("POST", "/")]
    for route in routes(server.settings):
        values = {"namespace": "default", "project": "shop", "model": "small", "session": "x", "name": "x"}
        path = route.path.replace(":path", "").format(**values)
        found += [(method, path) for method in sorted(route.methods or ()) if method != "HEAD"]
    return found


def error(answer: httpx.Response) -> dict:
    return answer.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {KEY}x"},
    ],
)
def test_every_route_but_the_liveness_probe_asks_for_the_key(serve, headers):
    server = serve(limits=Limits(api_key=KEY))
    routes = every_route(server)
    assert len(routes) > 20
    with httpx.Client() as client:
        for method, path in routes:
            answer = client.request(method, server.root + path, headers=headers)
            if path == "/health/live":
                assert answer.status_code == 200
                continue
            assert answer.status_code == 401, (method, path)
            assert error(answer)["code"] == "invalid_api_key"
            assert answer.headers["www-authenticate"] == "Bearer"


def test_with_the_key_every_route_is_open(serve):
    server = serve(limits=Limits(api_key=KEY))
    with httpx.Client(headers={"authorization": f"Bearer {KEY}"}) as client:
        for method, path in every_route(server):
            assert client.request(method, server.root + path).status_code != 401, (method, path)
        assert client.post(f"{server.url}/chat/completions", json=HI).status_code == 200


def test_a_path_that_only_looks_like_the_probe_is_closed(serve):
    server = serve(limits=Limits(api_key=KEY))
    for path in ("/health/live/", "//health/live", "/health/live%2f..%2f..%2fv1/models", "/v1/models?/health/live"):
        assert httpx.get(server.root + path).status_code == 401, path
    spoofed = httpx.get(
        f"{server.url}/models", headers={"host": f"127.0.0.1:{server.port}", "x-original-url": "/health/live"}
    )
    assert spoofed.status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "169.254.169.254", ""])
def test_a_foreign_host_name_is_refused(shop, host):
    answer = httpx.get(f"{shop.url}/models", headers={"host": host})
    assert answer.status_code in (400, 403)
    assert error(answer)["code"] == "host_not_allowed"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "localhost."])
def test_the_names_of_this_machine_are_answered(shop, host):
    assert httpx.get(f"{shop.url}/models", headers={"host": host}).status_code == 200


def test_further_names_can_be_allowed(serve):
    limits = Limits.of({"LF_ALLOWED_HOSTS": "farm.local, Other.local"})
    server = serve(limits=limits)
    for host, status in (("farm.local", 200), ("other.local:80", 200), ("localhost", 200), ("evil.example", 403)):
        assert httpx.get(f"{server.url}/models", headers={"host": host}).status_code == status


def test_beyond_loopback_names_are_checked_where_they_are_listed():
    keyed = {"LF_API_KEY": KEY}
    assert Limits.of(keyed, host="0.0.0.0").hosts is None
    assert Limits.of({**keyed, "LF_ALLOWED_HOSTS": "farm.example"}, host="0.0.0.0").hosts == {"farm.example"}


def test_the_very_address_that_is_listened_on_is_one_of_the_names():
    assert Limits.of({}, host="127.0.0.9").hosts == {"localhost", "127.0.0.1", "[::1]", "127.0.0.9"}


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:3000", "https://127.0.0.1.evil.example"]
)
def test_a_foreign_web_page_is_refused_and_gets_no_cors_headers(shop, origin):
    answer = httpx.post(f"{shop.url}/chat/completions", json=HI, headers={"origin": origin})
    assert (answer.status_code, error(answer)["code"]) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in answer.headers
    preflight = {"origin": origin, "access-control-request-method": "POST"}
    answer = httpx.options(f"{shop.url}/chat/completions", headers=preflight)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_the_server_itself_may_ask(shop):
    answer = httpx.post(f"{shop.url}/chat/completions", json=HI, headers={"origin": shop.root})
    assert answer.status_code == 200


def test_an_allowed_web_page_gets_cors_headers_and_its_preflight_needs_no_key(serve):
    page = "http://localhost:3000"
    limits = Limits.of({"LF_ALLOWED_ORIGINS": page + "/", "LF_API_KEY": KEY})
    server = serve(limits=limits)
    preflight = {
        "origin": page,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    answer = httpx.options(f"{server.url}/chat/completions", headers=preflight)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == page
    assert answer.headers["access-control-allow-headers"] == "authorization"
    headers = {"origin": page, "authorization": f"Bearer {KEY}"}
    answer = httpx.post(f"{server.url}/chat/completions", json=HI, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == page
    assert answer.headers["access-control-expose-headers"] == "*"
    unkeyed = httpx.post(f"{server.url}/chat/completions", json=HI, headers={"origin": page})
    assert unkeyed.status_code == 401


def test_the_line_end_of_a_file_of_secrets_is_no_part_of_the_key(serve):
    server = serve(limits=Limits.of({"LF_API_KEY": f" {KEY}\r\n"}))
    answer = httpx.get(f"{server.url}/models", headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("text", [" ", "\n"])
def test_a_key_of_blanks_alone_is_refused(text):
    with pytest.raises(UsageError, match="LF_API_KEY holds nothing but blanks"):
        Limits.of({"LF_API_KEY": text})


def test_an_empty_key_is_no_key():
    assert Limits.of({"LF_API_KEY": ""}).api_key is None


@pytest.mark.parametrize("text", ["many", "-1", "0", "1.5"])
def test_a_body_limit_that_is_no_number_is_an_error(text):
    with pytest.raises(UsageError, match="LF_MAX_BODY_BYTES"):
        Limits.of({"LF_MAX_BODY_BYTES": text})


def test_two_requests_of_one_client_id_are_told_apart_upstream(serve):
    from llamafarm_kit.testing.scripted import ScriptedProvider

    provider = ScriptedProvider()
    server = serve(provider)
    for _ in range(2):
        httpx.post(f"{server.url}/chat/completions", json=HI, headers={"x-request-id": "same"})
    assert len({call.request_id for call in provider.calls}) == 2
    assert "same" not in {call.request_id for call in provider.calls}


def test_whoever_opens_the_address_is_told_what_is_there(shop):
    answer = httpx.get(f"{shop.root}/")
    assert answer.status_code == 200
    index = answer.json()
    assert index["version"] == VERSION
    assert {"/v1/models", "/v1/projects", "/health"} <= set(index["routes"])
    assert "docs/" in index["documents"]
