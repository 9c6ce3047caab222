"""Every refusal is OpenAI's envelope, also the router's own and a crash."""

from __future__ import annotations

import pytest
from llamafarm.errors import (
    AuthenticationFailed,
    ConfigError,
    OperationNotSupported,
    PluginError,
    RateLimited,
    UpstreamError,
)
from starlette.routing import Route


def raising(error):
    async def fail(_):
        raise error

    return (Route("/fail", fail),)


@pytest.mark.parametrize(("method", "path", "status", "code"), [
    ("GET", "/nothing", 404, "not_found"), ("POST", "/", 404, "not_found"), ("GET", "/whoami/", 404, "not_found"),
    ("POST", "/whoami", 405, "method_not_allowed"), ("DELETE", "/whoami", 405, "method_not_allowed"),
])  # fmt: skip
def test_an_unknown_route_is_an_error_like_any_other(serve, method, path, status, code):
    answer = serve().request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    allowed = {word.strip() for word in answer.headers.get("allow", "").split(",")}
    assert allowed == ({"GET", "HEAD"} if status == 405 else {""})


def test_a_long_path_is_not_repeated_whole(serve):
    message = serve().get("/" + "x" * 5000).json()["error"]["message"]
    assert message == f"There is nothing at /{'x' * 199}."


def test_an_error_keeps_its_status_message_and_hint(serve):
    answer = serve(routes=raising(UpstreamError("No.", hint="Try again.", code="odd", param="x"))).get("/fail")
    assert answer.status_code == 502
    assert answer.json() == {
        "error": {"message": "No.\nTry again.", "type": "upstream_error", "code": "odd", "param": "x"}
    }


def test_a_rate_limit_says_when_to_come_back_in_whole_seconds(serve):
    answer = serve(routes=raising(RateLimited("later", retry_after=2.2))).get("/fail")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")


def test_the_limits_that_a_runtime_told_stand_beside_when_to_come_back(serve):
    error = RateLimited("later", retry_after=2)
    error.headers["x-ratelimit-remaining-requests"] = "0"
    answer = serve(routes=raising(error)).get("/fail")
    assert (answer.headers["retry-after"], answer.headers["x-ratelimit-remaining-requests"]) == ("2", "0")


def test_a_401_of_a_runtime_does_not_ask_for_this_servers_key(serve):
    answer = serve(routes=raising(AuthenticationFailed("no", status=401))).get("/fail")
    assert answer.status_code == 401
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OperationNotSupported("no"), "false"),
        (ConfigError("no"), "false"),
        (PluginError("no"), "false"),
        (UpstreamError("no", status=501), "false"),
        (UpstreamError("no"), None),
        (RateLimited("later"), None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_will_not_change_is_not_to_be_asked_again(serve, error, said):
    assert serve(routes=raising(error)).get("/fail").headers.get("x-should-retry") == said


def test_a_crash_says_nothing_of_its_inside_and_is_not_to_be_asked_again(serve, caplog):
    answer = serve(routes=raising(ZeroDivisionError("inside"))).get("/fail", headers={"x-request-id": "mine"})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "mine"
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["message"] == "The server failed.\nIts log says more, under this X-LF-Request-ID."
    assert answer.headers["x-lf-request-id"] in caplog.text
    assert "ZeroDivisionError: inside" in caplog.text
