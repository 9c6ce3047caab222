"""A name means an entry of the project first, and a runtime's own id where its provider is named."""

from __future__ import annotations

import pytest
from llamafarm.errors import ConfigError, PluginError, UsageError
from llamafarm.gateway.naming import named
from llamafarm.project import NO_PROJECT, BrokenEntry, Project
from llamafarm.providers.base import Endpoint
from llamafarm.providers.entry import ModelEntry, Timeouts
from llamafarm.records import ProviderSpec

KEYED = "http://10.0.0.1:9/v1"


class ShelfEntry(ModelEntry):
    colour: str = "red"
    headers: dict[str, str] = {}


class StrictEntry(ModelEntry):
    licence: str


def spec(name: str, entry: type[ModelEntry]) -> ProviderSpec:
    def endpoint(one: ModelEntry) -> Endpoint:
        return Endpoint(name, one.base_url or "http://127.0.0.1:9", headers=tuple(getattr(one, "headers", {}).items()))

    return ProviderSpec(name, "made for a test", entry, endpoint, connect=lambda _: None)


class Plugins:
    """Two providers: one that takes bare ids, and one whose entries need more."""

    def __init__(self):
        self.specs = {"shelf": spec("shelf", ShelfEntry), "strict": spec("strict", StrictEntry)}

    def provider(self, name):
        if name not in self.specs:
            raise PluginError(f"The provider {name!r} is not installed.")
        return self.specs[name]

    def providers(self):
        return self.specs


FIRST = ShelfEntry(
    name="first",
    provider="shelf",
    model="org/first",
    base_url=KEYED,
    api_key="sk-1",
    colour="blue",
    timeouts=Timeouts(connect=1),
    headers={"x-team": "farm"},
)
SECOND = ShelfEntry(name="second", provider="shelf", model="org/second", base_url="http://10.0.0.2:9/v1")
OTHER = StrictEntry(name="other", provider="strict", model="qwen3:8b", licence="mit")
BROKEN = BrokenEntry("odd", "shelf", "x", ConfigError("line 3: the variable KEY is not set"))
SHOP = Project("shop", "default", None, (FIRST, SECOND, OTHER, BROKEN))


def find(name: str, provider: str | None = None, project: Project = SHOP) -> ModelEntry:
    return named(project, name, provider, Plugins())


def test_an_entry_is_meant_by_its_name_also_where_its_provider_is_named():
    assert find("second") is SECOND
    assert find("second", "shelf") is SECOND


def test_a_broken_entry_says_why():
    with pytest.raises(ConfigError, match="KEY is not set"):
        find("odd")


def test_an_id_is_asked_for_where_the_first_entry_of_its_provider_leads_with_its_credentials():
    found = find("qwen3:8b", "shelf")

    assert (found.name, found.model, found.provider) == ("qwen3:8b", "qwen3:8b", "shelf")
    assert found.base_url == KEYED
    assert found.api_key is not None
    assert found.api_key.get_secret_value() == "sk-1"
    assert found.timeouts.connect == 1
    assert found.headers == {"x-team": "farm"}
    assert found.colour == "red"  # what an entry says of its model is not said of another


def test_an_id_that_is_the_model_of_an_entry_means_that_entry():
    assert find("org/second", "shelf") is SECOND


def test_a_name_of_another_providers_entry_is_an_id_of_the_provider_that_is_named():
    found = find("other", "shelf")

    assert (found.provider, found.model, found.base_url) == ("shelf", "other", KEYED)


def test_without_an_entry_of_its_provider_an_id_is_asked_for_at_the_providers_default():
    found = find("org/repo:Q4_K_M", "shelf", NO_PROJECT)

    assert (found.model, found.base_url, found.api_key) == ("org/repo:Q4_K_M", None, None)


def test_an_unknown_name_is_an_error_with_the_near_names_and_the_providers():
    with pytest.raises(UsageError, match="There is no model 'frist' in default/shop") as caught:
        find("frist")

    assert "Did you mean first" in str(caught.value)
    assert "`provider`): shelf, strict." in str(caught.value)
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")


def test_an_id_without_its_provider_is_an_error_also_where_an_entry_has_it():
    with pytest.raises(UsageError) as caught:
        find("qwen3:8b")

    assert "It is the model of other." in str(caught.value)


def test_without_a_project_the_installed_providers_are_named():
    with pytest.raises(UsageError, match=r"There is no llamafarm\.yaml here") as caught:
        find("qwen3:8b", project=NO_PROJECT)

    assert "shelf, strict" in str(caught.value)


def test_an_empty_name_means_nothing():
    with pytest.raises(UsageError, match="empty"):
        find("")


def test_a_provider_that_is_not_installed_is_an_error():
    with pytest.raises(PluginError, match="not installed"):
        find("qwen3:8b", "nothing-like-it")


def test_a_provider_that_needs_more_than_an_id_says_what():
    with pytest.raises(UsageError, match="licence: Field required") as caught:
        find("llama", "strict")

    assert "Write a model entry" in str(caught.value)
