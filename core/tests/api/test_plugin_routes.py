"""Routes of plugins: below both prefixes, behind the key, with the project; and their failures are their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from llamafarm.api.app import PREFIXES, routes
from llamafarm.api.plugin_routes import PluginRoute
from llamafarm.api.settings import Limits
from llamafarm.errors import RateLimited
from llamafarm.plugins.manager import PluginManager
from llamafarm.plugins.route_paths import CORE_PATHS
from llamafarm.project import Project
from llamafarm.records import RouteSpec
from llamafarm.web import EventStream, json_answer, read_form, read_object, request_id_of
from llamafarm.wire import sse
from llamafarm_kit.testing.scripted import ScriptedPlugins, ScriptedProvider
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

BOTH = ("/v1", "/v1/projects/default/shop")
KEY = {"authorization": "Bearer s3cret-key"}
BOUND = 20.0


def cow(path: str, endpoint: Callable[..., Any], *methods: str, scope: Any = "use") -> RouteSpec:
    return RouteSpec(path, methods or ("GET",), "made for a test", endpoint, scope)


@pytest.fixture
def farm(serve):
    """farm(spec, …) starts a server with these routes of a plugin, and returns it."""
    return lambda *specs, **given: serve(plugins=ScriptedPlugins(ScriptedProvider("Moo."), routes=specs), **given)


async def name_it(request, farm):
    return json_answer({"cow": request.path_params.get("name"), "project": farm.project.identity})


async def show_body(request, _farm):
    return json_answer({"body": await read_object(request)})


@pytest.mark.parametrize("prefix", BOTH)
def test_it_is_asked_below_both_prefixes_and_has_the_project(farm, prefix):
    server = farm(cow("/barn/cows/{name}", name_it))
    answer = httpx.get(f"{server.root}{prefix}/barn/cows/Berta")
    assert (answer.status_code, answer.json()) == (200, {"cow": "Berta", "project": "default/shop"})


def test_the_project_answers_to_it_as_from_python(farm):
    async def say(_request, farm):
        reply = await farm.ask("chat", {"messages": [{"role": "user", "content": "Hi"}]})
        return PlainTextResponse(await reply.text())

    assert httpx.get(f"{farm(cow('/barn/say', say)).url}/barn/say").text == "Moo."


def test_a_project_that_is_not_there_is_a_404(farm):
    server = farm(cow("/barn", name_it))
    answer = httpx.get(f"{server.url}/projects/default/nobody/barn")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "project_not_found")


def test_another_method_is_a_405_that_says_which_one(farm):
    answer = httpx.delete(f"{farm(cow('/barn', name_it, 'GET', 'POST')).url}/barn")
    assert answer.status_code == 405
    assert "POST" in answer.json()["error"]["message"]


def test_a_parameter_at_the_end_may_take_all_the_rest(farm):
    server = farm(cow("/barn/{name:path}", name_it))
    assert httpx.get(f"{server.url}/barn/a/b/c.txt").json()["cow"] == "a/b/c.txt"


@pytest.mark.parametrize("prefix", BOTH)
@pytest.mark.parametrize("scope", ["use", "admin"])
def test_where_the_server_has_a_key_it_asks_for_it(farm, prefix, scope):
    server = farm(cow("/barn", name_it, scope=scope), limits=Limits(api_key="s3cret-key"))
    refused = httpx.get(f"{server.root}{prefix}/barn")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert httpx.get(f"{server.root}{prefix}/barn", headers=KEY).status_code == 200


@pytest.mark.parametrize("prefix", BOTH)
def test_a_public_route_asks_for_no_key(farm, prefix):
    server = farm(cow("/barn", name_it, scope="public"), limits=Limits(api_key="s3cret-key"))
    assert httpx.get(f"{server.root}{prefix}/barn").status_code == 200
    for path in ("/models", "/barn/cows", "/barn/../models", "//barn"):
        assert httpx.get(f"{server.root}{prefix}{path}").status_code == 401, path
    assert httpx.post(f"{server.root}{prefix}/barn").status_code == 401


@pytest.mark.parametrize("order", [1, -1])
def test_a_public_route_opens_no_other_one_that_a_request_may_be_meant_for(farm, order):
    """Whichever stands first is the one that answers, and the one whose scope counts."""
    specs = [cow("/barn/{name}", name_it, scope="public"), cow("/barn/secret", show_body, scope="admin")][::order]
    server = farm(*specs, limits=Limits(api_key="s3cret-key"))
    answer = httpx.get(f"{server.url}/barn/secret")
    assert answer.status_code == (200 if order == 1 else 401)
    assert httpx.get(f"{server.url}/barn/hay").status_code == 200


def test_a_body_may_be_as_large_as_the_server_allows(farm):
    server = farm(cow("/barn", show_body, "POST"), limits=Limits(max_body_bytes=100))
    assert httpx.post(f"{server.url}/barn", json={"cow": 1}).json() == {"body": {"cow": 1}}
    refused = httpx.post(f"{server.url}/barn", json={"cow": "x" * 100})
    assert refused.status_code == 413
    assert "LF_MAX_BODY_BYTES" in refused.json()["error"]["message"]


def test_a_form_may_be_as_large_as_the_server_allows(farm):
    async def names(request, _farm):
        return json_answer([name for name, _ in await read_form(request)])

    server = farm(cow("/barn", names, "POST"), limits=Limits(max_body_bytes=1000))
    assert httpx.post(f"{server.url}/barn", files={"hay": b"x"}).json() == ["hay"]
    assert httpx.post(f"{server.url}/barn", files={"hay": b"x" * 1000}).status_code == 413


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff"])
def test_a_body_that_is_wrong_is_a_400(farm, content):
    server = farm(cow("/barn", show_body, "POST"))
    answer = httpx.post(f"{server.url}/barn", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_a_request_without_a_body_may_be_asked_for_it_late(farm, method):
    """Watching whether the client is still there takes nothing away from the endpoint."""

    async def late(request, _farm):
        await asyncio.sleep(0.1)
        return json_answer({"bytes": len(await request.body())})

    server = farm(cow("/barn", late, method))
    assert httpx.request(method, f"{server.url}/barn", timeout=BOUND).json() == {"bytes": 0}


def test_a_body_that_is_read_late_is_whole(farm):
    async def late(request, _farm):
        await asyncio.sleep(0.1)
        return json_answer({"bytes": len(await request.body())})

    server = farm(cow("/barn", late, "POST"))
    pieces = (b"x" * 1000 for _ in range(5))
    assert httpx.post(f"{server.url}/barn", content=pieces, timeout=BOUND).json() == {"bytes": 5000}


def test_an_error_of_ours_is_the_envelope_that_it_is_elsewhere(farm):
    async def refuse(_request, _farm):
        raise RateLimited("The barn is full.", retry_after=7)

    answer = httpx.get(f"{farm(cow('/barn', refuse)).url}/barn")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["error"]["message"].startswith("The barn is full.")


def test_any_other_error_is_the_plugins_and_the_server_goes_on(farm):
    async def trip(_request, _farm):
        raise ZeroDivisionError("a cow too many")

    server = farm(cow("/barn", trip), cow("/hay", name_it))
    answer = httpx.get(f"{server.url}/barn")
    assert answer.status_code == 500
    assert "The route 'GET /barn' failed: ZeroDivisionError: a cow too many" in answer.json()["error"]["message"]
    assert httpx.get(f"{server.url}/hay").status_code == 200


def test_what_is_no_response_is_the_plugins_error(farm):
    async def nothing(_request, _farm):
        return {"cow": 1}

    answer = httpx.get(f"{farm(cow('/barn', nothing)).url}/barn")
    assert "no response of starlette" in answer.json()["error"]["message"]


def test_starlettes_own_refusals_are_answers(farm):
    async def gone(_request, _farm):
        raise HTTPException(410, "The cow is gone.")

    answer = httpx.get(f"{farm(cow('/barn', gone)).url}/barn")
    assert (answer.status_code, answer.json()["error"]["message"]) == (410, "The cow is gone.")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_work_ends_when_its_client_goes_away(farm, method):
    begun, ended = threading.Event(), threading.Event()

    async def dig(request, _farm):
        await request.body()
        begun.set()
        try:
            await asyncio.sleep(BOUND)
        finally:
            ended.set()
        return json_answer({})

    server = farm(cow("/barn", dig, method))
    with pytest.raises(httpx.ReadTimeout):
        httpx.request(method, f"{server.url}/barn", timeout=0.3)
    assert begun.wait(BOUND)
    assert ended.wait(BOUND / 2), "the work went on"


def test_progress_is_streamed_and_closed_when_its_client_goes_away(farm):
    closed = threading.Event()

    async def watch(_request, _farm):
        async def frames():
            yield sse.encode({"done": 1}, event="progress")
            await asyncio.sleep(BOUND)

        return EventStream(frames(), close=closed.set)

    server = farm(cow("/barn", watch))
    with httpx.stream("GET", f"{server.url}/barn", timeout=BOUND) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert next(answer.iter_lines()) == "event: progress"
    assert closed.wait(BOUND / 2)


def test_web_pages_that_may_ask_may_use_every_method(farm):
    limits = Limits(origins=frozenset({"https://barn.example"}))
    server = farm(cow("/barn", show_body, "PUT", "PATCH"), limits=limits)
    for method in ("PUT", "PATCH"):
        asked = {"origin": "https://barn.example", "access-control-request-method": method}
        assert httpx.options(f"{server.url}/barn", headers=asked).status_code == 200
        answer = httpx.request(method, f"{server.url}/barn", json={}, headers={"origin": "https://barn.example"})
        assert answer.headers["access-control-allow-origin"] == "https://barn.example"


def test_its_request_has_an_id_as_all_have(farm):
    async def tell(request, _farm):
        return PlainTextResponse(request_id_of(request))

    answer = httpx.get(f"{farm(cow('/barn', tell)).url}/barn")
    assert answer.headers["x-lf-request-id"] == answer.text


def test_the_servers_own_address_names_it(farm):
    server = farm(cow("/barn/cows", name_it, "GET", "DELETE"))
    assert httpx.get(f"{server.root}/").json()["routes"]["/v1/barn/cows"] == "GET, DELETE: made for a test"


def test_paths_of_the_core_are_all_known_so_that_no_plugin_takes_one(shop):
    own = [route.path for route in routes(shop.settings) if not isinstance(route, PluginRoute)]
    below = {
        path.removeprefix(prefix).split("/")[1] for prefix in PREFIXES[:1] for path in own if path.startswith(prefix)
    }
    assert below - set(CORE_PATHS) == set()
    assert set(CORE_PATHS) - below == set()


COW = """
    import llamafarm

    async def moo(request, farm):
        from llamafarm.web import json_answer
        return json_answer({"cow": "moo"})

    @llamafarm.hookimpl
    def register_routes():
        yield llamafarm.RouteSpec("/cow", ("GET",), "made for a test", moo)
"""


def test_a_project_that_has_disabled_the_plugin_does_not_have_its_routes(serve, install):
    install("acme-cow", COW)
    without = Project("shop", "default", None, (), raw={"plugins": {"disabled": ["acme-cow"]}})
    for project, status in ((Project("shop", "default", None, ()), 200), (without, 404)):
        server = serve(plugins=PluginManager(environ={}), project=project)
        answer = httpx.get(f"{server.url}/cow")
        assert answer.status_code == status
    assert answer.json()["error"]["code"] == "plugin_disabled"
