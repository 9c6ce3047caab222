"""What each hook brings arrives where it is asked for: one test for each, named after it."""

from __future__ import annotations

from llamafarm.plugins.manager import PluginManager
from llamafarm.project import NO_PROJECT
from llamafarm.records import Section

HANDLER = """
    import llamafarm

    class Handler:
        async def run(self, turn, ask):
            return await ask(turn)

    @llamafarm.hookimpl
    def register_agent_handlers():
        yield llamafarm.AgentHandlerSpec("cow", "made for a test", lambda options: Handler(), fields={"moo": int})
"""
FRAGMENT = """
    import llamafarm
    from pydantic import BaseModel, ConfigDict

    class Shed(BaseModel):
        model_config = ConfigDict(extra="forbid")
        doors: int = 1

    @llamafarm.hookimpl
    def register_config_fragments():
        yield llamafarm.ConfigFragment(at=llamafarm.Section("cow"), model=Shed)
"""
TOOL_SOURCE = """
    import llamafarm

    @llamafarm.hookimpl
    def register_tool_sources():
        yield llamafarm.ToolSourceSpec("cow", "made for a test", lambda project: ["barn"], lambda project, name: None)
"""
ROUTE = """
    import llamafarm

    async def cows(request, farm):
        ...

    @llamafarm.hookimpl
    def register_routes():
        yield llamafarm.RouteSpec("/cow/{name}", ("GET", "DELETE"), "made for a test", cows, scope="admin")
"""


def test_register_providers_brings_a_provider_by_its_name(install, provider_source):
    install("acme-cow", provider_source("cow"))
    spec = PluginManager(environ={}).provider("cow")
    assert (spec.name, spec.summary) == ("cow", "made for a test")
    assert spec.entry.model_fields["colour"].annotation is int


def test_register_agent_handlers_brings_a_handler_by_its_name(install):
    install("acme-cow", HANDLER)
    spec = PluginManager(environ={}).agent_handler("cow")
    assert (spec.name, spec.fields) == ("cow", {"moo": int})
    assert hasattr(spec.build(None), "run")


def test_register_config_fragments_brings_the_model_of_a_place(install):
    install("acme-cow", FRAGMENT)
    fragment = PluginManager(environ={}).fragment(Section("cow"))
    assert fragment is not None
    assert fragment.model().model_dump() == {"doors": 1}


def test_register_tool_sources_brings_the_sources_that_a_project_declares(install):
    install("acme-cow", TOOL_SOURCE)
    plugins = PluginManager(environ={})
    assert list(plugins.tool_sources()["cow"].names(NO_PROJECT)) == ["barn"]
    [row] = [row for row in plugins.statuses() if row.name == "cow"]
    assert row.tool_sources == ("cow",)


def test_register_routes_brings_a_route_of_the_api(install):
    install("acme-cow", ROUTE)
    plugins = PluginManager(environ={})
    [spec] = [spec for spec in plugins.routes() if spec.summary == "made for a test"]
    assert (spec.path, spec.methods, spec.scope) == ("/cow/{name}", ("GET", "DELETE"), "admin")
    [row] = [row for row in plugins.statuses() if row.name == "cow"]
    assert row.routes == ("GET, DELETE /cow/{name}",)
