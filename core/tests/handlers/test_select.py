"""Which handlers an entry's conversations go through."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from llamafarm.errors import ConfigError, PluginError, RequestError
from llamafarm.handlers.select import build_link, chain_names, check_fields
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.records import AgentHandlerSpec
from llamafarm_kit.testing.scripted import ScriptedPlugins
from pydantic import BaseModel


class Options(BaseModel):
    top_k: int = 5


class Needs(BaseModel):
    model: str


def spec(name, **given) -> AgentHandlerSpec:
    return AgentHandlerSpec(name, "made for a test", lambda options: SimpleNamespace(options=options), **given)


def entry(**given) -> ModelEntry:
    return ModelEntry(name="m", provider="p", model="x", **given)


def project(handler=(), **given) -> Project:
    return Project("shop", "default", None, (), handler=tuple(handler), **given)


def build_chain(project, entry, plugins):
    return tuple(build_link(name, project, entry, plugins) for name in chain_names(project, entry))


@pytest.mark.parametrize(
    ("in_entry", "in_project", "chain"),
    [
        ({}, (), ("simple",)),
        ({}, ("rag",), ("simple", "rag")),
        ({"handler": "rag"}, ("guard",), ("simple", "rag")),
        ({"handler": ["rag", "structured"]}, (), ("simple", "rag", "structured")),
        ({"handler": ["guard", "simple"]}, (), ("guard", "simple")),
        ({"prompt_format": "structured"}, ("rag",), ("simple", "structured")),
        ({"prompt_format": "unstructured"}, ("rag",), ("simple",)),
        ({"handler": "rag", "prompt_format": "structured"}, (), ("simple", "rag")),
    ],
)
def test_the_entry_comes_before_the_project_and_simple_is_always_there_once(in_entry, in_project, chain):
    assert chain_names(project(in_project), entry(**in_entry)) == chain


def test_a_handler_that_is_named_twice_is_an_error():
    with pytest.raises(ConfigError, match=r"`handler` of the model entry 'm' names the agent handler 'rag' twice"):
        chain_names(project(), entry(handler=["rag", "simple", "rag"]))


def test_a_request_chooses_among_the_handlers_that_the_entry_allows_and_has():
    open_to = entry(handler=["rag"], allow_handlers=["structured", "simple"])
    assert chain_names(project(), open_to, ("structured",)) == ("simple", "structured")
    assert chain_names(project(), open_to, ("rag", "structured")) == ("simple", "rag", "structured")
    assert chain_names(project(), open_to, ("simple",)) == ("simple",)
    assert chain_names(project(), entry(handler=["rag"]), ("rag",)) == ("simple", "rag")


def test_a_handler_that_the_entry_does_not_allow_is_refused_with_those_that_it_does():
    with pytest.raises(RequestError, match="does not let a request choose the agent handler 'tools'") as refusal:
        chain_names(project(), entry(allow_handlers=["structured"]), ("tools",))
    assert (refusal.value.status, refusal.value.param, refusal.value.code) == (400, "handler", "handler_not_allowed")
    assert refusal.value.hint.startswith("It allows: simple, structured.")


def test_two_handlers_of_one_chain_cannot_take_the_same_field():
    plugins = ScriptedPlugins(handlers=(spec("rag", fields={"top_k": int}), spec("vote", fields={"top_k": int})))
    both = entry(handler=["rag", "vote"])
    with pytest.raises(ConfigError, match="'rag' and 'vote' of the model entry 'm' both take the field 'top_k'"):
        check_fields(build_chain(project(), both, plugins), both)


def test_a_handler_gets_the_options_of_the_project():
    plugins = ScriptedPlugins(handlers=(spec("rag", options=Options),))
    chain = build_chain(project(handler_options={"rag": Options(top_k=9)}), entry(handler="rag"), plugins)
    assert [link.name for link in chain] == ["simple", "rag"]
    assert chain[1].handler.options.top_k == 9


def test_a_handler_without_options_in_the_project_gets_the_defaults_of_its_model():
    plugins = ScriptedPlugins(handlers=(spec("rag", options=Options),))
    assert build_chain(project(), entry(handler="rag"), plugins)[1].handler.options.top_k == 5


def test_a_handler_that_is_not_installed_is_an_error_that_says_who_needs_it_and_what_there_is():
    with pytest.raises(PluginError) as refusal:
        build_chain(project(["rga"]), entry(), ScriptedPlugins(handlers=(spec("guard"),)))
    assert refusal.value.message.startswith("`handler` of the project 'shop' needs the agent handler 'rga'.")
    assert "Agent handlers that are installed: guard, simple." in refusal.value.hint


def test_structured_answers_are_refused_with_the_setting_that_asked_for_them():
    with pytest.raises(PluginError, match="`prompt_format: structured` of the model entry 'm'") as refusal:
        build_chain(project(), entry(prompt_format="structured"), PluginManager(disabled=("llamafarm-agents",)))
    assert "(llamafarm-agents 0.1.0) is disabled" in refusal.value.message
    assert "simple" in refusal.value.hint


def test_a_handler_that_cannot_be_built_is_named():
    def build(_options):
        raise RuntimeError("no database")

    plugins = ScriptedPlugins(handlers=(AgentHandlerSpec("rag", "broken", build),))
    with pytest.raises(PluginError, match="'rag' cannot be built: RuntimeError: no database"):
        build_chain(project(), entry(handler="rag"), plugins)


def test_the_core_brings_simple_through_the_hook():
    assert PluginManager().agent_handler("simple").name == "simple"


def test_a_handler_that_is_chosen_without_the_options_that_it_needs_says_where_they_are_written():
    """No entry names it, so that nothing has told of them when the configuration was read."""
    plugins = ScriptedPlugins(None, handlers=(spec("rag", options=Needs),))
    with pytest.raises(ConfigError, match="The agent handler 'rag' needs options") as caught:
        build_link("rag", project(), entry(), plugins)
    assert caught.value.hint == "Write them in `handlers.rag` of llamafarm.yaml."


def test_a_handler_that_is_chosen_and_lacks_something_says_what():
    def check(options, project, entry):
        yield f"there is no index {options.top_k} in {project.name} for {entry.name}"

    plugins = ScriptedPlugins(None, handlers=(spec("rag", options=Options, check=check),))
    with pytest.raises(ConfigError, match="'rag' cannot work with the model 'm': there is no index 5 in shop for m"):
        build_link("rag", project(), entry(), plugins)
