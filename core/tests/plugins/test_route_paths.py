"""Which routes a plugin may bring, and which of two plugins stand in each other's way."""

from __future__ import annotations

import pytest
from llamafarm.plugins.manager import PluginManager
from llamafarm.plugins.route_paths import clash, problem
from llamafarm.records import RouteSpec


def route(path="/barn", methods=("GET",), scope="use", endpoint=print) -> RouteSpec:
    return RouteSpec(path, methods, "made for a test", endpoint, scope)


@pytest.mark.parametrize("path", ["/barn", "/barn/cows/{name}/milk", "/barn/{name:path}", "/my-barn/v1.2/a_b"])
def test_words_and_parameters_are_a_path(path):
    assert problem(route(path)) is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("barn", "begin with a slash"),
        ("", "begin with a slash"),
        ("/", "the part ''"),
        ("/barn/", "the part ''"),
        ("/barn//cows", "the part ''"),
        ("/barn/../models", "the part '..'"),
        ("/barn/{name:int}", "the part '{name:int}'"),
        ("/barn/cow-{name}", "the part 'cow-{name}'"),
        ("/barn/{name:path}/milk", "takes all the rest"),
        ("/{name}/barn", "begins with a parameter"),
        ("/barn/{a}/{a}", "the parameter 'a'"),
        ("/barn/{project}", "the parameter 'project'"),
        ("/models/barn", "all that begin with '/models'"),
        ("/projects", "the core's own"),
    ],
)
def test_what_is_no_path_for_a_plugin_is_said(path, said):
    assert said in problem(route(path))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"methods": ()}, "the methods of the route '/barn'"),
        ({"methods": "GET"}, "a tuple of GET, POST"),
        ({"methods": ("get",)}, "a tuple of GET, POST"),
        ({"methods": ("TRACE",)}, "a tuple of GET, POST"),
        ({"scope": "root"}, "there is public, use, admin"),
        ({"endpoint": "acme:barn"}, "cannot be called"),
    ],
)
def test_what_else_is_wrong_is_said(given, said):
    assert said in problem(route(**given))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("/barn", "/barn", True),
        ("/barn", "/barn/cows", False),
        ("/barn/{a}", "/barn/cows", True),
        ("/barn/{a}/milk", "/barn/{b}/hay", False),
        ("/barn/{a:path}", "/barn/cows/milk", True),
        ("/barn/{a:path}", "/hay/cows", False),
        ("/barn/{a}/{b}", "/barn/{a}", False),
    ],
)
def test_two_routes_clash_where_one_request_could_be_meant_for_both(one, other, expected):
    assert clash(route(one), route(other)) is clash(route(other), route(one)) is expected


def test_routes_of_different_methods_do_not_clash():
    assert not clash(route(methods=("GET",)), route(methods=("POST", "DELETE")))


SOURCE = """
    import llamafarm

    @llamafarm.hookimpl
    def register_routes():
        yield llamafarm.RouteSpec("{path}", ("GET",), "made for a test", print)
"""


def test_two_plugins_with_one_route_are_in_conflict_and_neither_is_served(install):
    install("acme-cow", SOURCE.format(path="/barn/{name}"))
    install("acme-goat", SOURCE.format(path="/barn/hay"))
    install("acme-pig", SOURCE.format(path="/barn"))
    plugins = PluginManager(environ={})
    assert [spec.path for spec in plugins.routes() if spec.summary == "made for a test"] == ["/barn"]
    rows = {row.name: row for row in plugins.statuses()}
    assert (rows["cow"].status, rows["goat"].status, rows["pig"].status) == ("conflict", "conflict", "active")
    assert "'GET /barn/{name}' is also brought by" in rows["cow"].cause


def test_a_plugin_whose_route_is_the_cores_own_has_failed_and_says_so(install):
    install("acme-cow", SOURCE.format(path="/chat/completions"))
    plugins = PluginManager(environ={})
    assert [spec for spec in plugins.routes() if spec.summary == "made for a test"] == []
    [row] = [row for row in plugins.statuses() if row.name == "cow"]
    assert (row.status, row.routes) == ("failed", ())
    assert "the path '/chat/completions' is the core's own" in row.cause
