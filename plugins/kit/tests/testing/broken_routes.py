"""Routes that each break one promise and keep all others; test_route_contract.py tries them."""

from __future__ import annotations

from llamafarm import RouteSpec
from llamafarm.errors import UsageError
from llamafarm.web import json_answer, read_object
from llamafarm_kit.testing.route_contract import RouteContract
from starlette.responses import JSONResponse, PlainTextResponse


async def list_cows(request, farm):
    if request.path_params["barn"] != "red":
        raise UsageError("There is no such barn.", status=404, code="barn_not_found")
    return json_answer({"project": farm.project.name, "cows": 3})


async def add_cow(request, _farm):
    await read_object(request)
    return json_answer({"cows": 4})


async def fails_where_all_is_well(request, _farm):
    if await request.body() == b"{}":
        raise ZeroDivisionError("a cow too many")
    return json_answer({"cows": 4})


async def fails_for_lists(request, _farm):
    if await request.body() == b"[1]":
        raise AttributeError("a list has no cows")
    return json_answer({"cows": 4})


async def refuses_in_its_own_words(request, _farm):
    return JSONResponse({"detail": "This is no JSON."}, 400 if await request.body() == b"{" else 200)


async def refuses_as_text(request, _farm):
    return PlainTextResponse("no", 400 if await request.body() == b"cow" else 200)


class Case(RouteContract):
    """Brings its routes itself: the plugin is not installed."""

    __test__ = False
    plugin = "barn"
    parameters = {"barn": "red"}
    summary = "the cows of a barn"
    add = staticmethod(add_cow)

    @property
    def routes(self):
        return [
            RouteSpec("/barn/{barn}/cows", ("GET", "DELETE"), self.summary, list_cows),
            RouteSpec("/barn/{barn}/cows", ("POST",), "one cow more", self.add, scope="admin"),
        ]


class TestSound(Case):
    __test__ = True


class TestSaysNothing(Case):
    __test__ = True
    summary = " "


class TestFailsWhereAllIsWell(Case):
    __test__ = True
    add = staticmethod(fails_where_all_is_well)


class TestFailsForLists(Case):
    __test__ = True
    add = staticmethod(fails_for_lists)


class TestRefusesInItsOwnWords(Case):
    __test__ = True
    add = staticmethod(refuses_in_its_own_words)


class TestRefusesAsText(Case):
    __test__ = True
    add = staticmethod(refuses_as_text)


class TestReplacesATest(Case):
    __test__ = True

    def test_no_body_makes_it_fail(self):
        pass
