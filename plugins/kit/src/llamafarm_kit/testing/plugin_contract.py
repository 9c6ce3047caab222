"""The contract of plugins: what every `lf` command relies on, whatever the plugin brings.

from llamafarm_kit.testing import PluginContract


class TestAcme(PluginContract):
    plugin = "acme"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, ClassVar

from llamafarm import AgentHandlerSpec, ConfigFragment, ProviderSpec
from llamafarm.plugins.discovery import Candidate, candidates
from llamafarm.plugins.loader import Loader
from llamafarm.plugins.registration import name_of
from llamafarm.plugins.status import Loaded, row_of
from pydantic import BaseModel

from llamafarm_kit.check import observe
from llamafarm_kit.observe import Observation
from llamafarm_kit.testing.contract import Contract
from llamafarm_kit.testing.plugin_names import collisions, foreign, reasonless
from llamafarm_kit.testing.plugin_package import has_type_hints, missing_metadata
from llamafarm_kit.testing.schemas import open_problems, round_trip_problems, schema_problems

PATIENCE = 60.0
"""Seconds that a plugin may take to load, with the start of a Python."""


@cache
def loaded(plugin: str) -> Loaded:
    """The plugin, loaded in this process. Fails the test where it is not installed."""
    return Loader().load(installed(plugin))


@cache
def observed(plugin: str) -> Observation:
    """What the plugin did when it was loaded in a process of its own. Fails the test where it cannot be imported."""
    found = installed(plugin)
    seen = observe(row_of(found, "not loaded"), timeout=PATIENCE)
    assert seen.imported, seen.row.cause
    return seen


def installed(plugin: str) -> Candidate:
    """The one installed plugin of that name."""
    found = [one for one in candidates() if one.name == plugin]
    known = ", ".join(one.name for one in candidates())
    assert found, (
        f"no plugin {plugin!r} is installed (entry points of group llamafarm.plugins: {known}); pip install it"
    )
    origins = ", ".join(one.origin for one in found)
    assert len(found) == 1, f"several distributions bring a plugin {plugin!r}: {origins}"
    return found[0]


class PluginContract(Contract):
    """What holds for every plugin; subclass it and name yours. The plugin must be installed (`pip install -e .`).

    plugin: the name of its entry point. names: why it brings something that is called differently, by name: only the
    plugin that is called like what a configuration names is loaded at once, any other after all plugins have been.
    xfail: the tests that are known to fail, each with the reason.

    The values that its models are tried with are made from their JSON Schema. A field that takes less than its type
    says shows one that it takes, `Field(examples=["512x512"])`; a model whose fields depend on each other shows whole
    values, `ConfigDict(json_schema_extra={"examples": [{...}]})`. Readers of the schema see them too.
    """

    plugin: ClassVar[str]
    names: ClassVar[Mapping[str, str]] = {}

    def test_it_loads_and_every_hook_returns_its_records(self) -> None:
        """The status in `lf plugins list` is `active`."""
        found = loaded(self.plugin).row
        assert found.status == "active", found.cause

    def test_loading_it_imports_nothing_heavy(self) -> None:
        """Every command would wait for it; import it where it is used, inside `connect` for instance."""
        assert not (found := observed(self.plugin).heavy), f"imported: {', '.join(found)}"

    def test_loading_it_uses_no_network(self) -> None:
        """A runtime that is off or slow must not keep `lf` from starting."""
        assert not (found := observed(self.plugin).network), "; ".join(found)

    def test_loading_it_prints_nothing(self) -> None:
        """Standard output carries the answer of a command, JSON for instance, and nothing else."""
        assert not (found := observed(self.plugin).printed), "; ".join(found)

    def test_loading_it_leaves_no_thread_and_no_process(self) -> None:
        """Nobody would end them."""
        seen = observed(self.plugin)
        assert not (seen.threads or seen.children), f"threads: {seen.threads}, processes: {seen.children}"

    def test_its_models_have_a_valid_json_schema(self) -> None:
        """Draft 2020-12: editors and `lf config schema` read it."""
        found = [problem for what, kind in self._described() for problem in schema_problems(what, kind)]
        assert not found, "\n".join(found)

    def test_its_models_refuse_unknown_keys(self) -> None:
        """At every depth: a misspelt key is an error, and not a setting without effect."""
        found = [problem for what, model in self._models() for problem in open_problems(what, model)]
        assert not found, "\n".join(found)

    def test_its_models_round_trip(self) -> None:
        """What a model writes as JSON, it reads as the same value: `lf config show` writes it, and the API does."""
        found = [problem for what, model in self._models() for problem in round_trip_problems(what, model)]
        assert not found, "\n".join(dict.fromkeys(found))

    def test_its_names_are_not_official_ones(self) -> None:
        """Neither those of the core nor those of the distributions that LlamaFarm's errors recommend."""
        assert not (found := [*collisions(loaded(self.plugin))]), "\n".join(found)

    def test_it_is_called_like_what_it_brings(self) -> None:
        """Or says in `names` why not."""
        found = loaded(self.plugin)
        assert not (unexplained := [*foreign(found, self.names)]), (
            f"the plugin {self.plugin!r} brings {', '.join(unexplained)}; say why in `names`"
        )
        assert not (stale := [*reasonless(found, self.names)]), f"`names` has no need of {', '.join(stale)}"

    def test_its_distribution_says_what_it_is(self) -> None:
        """Name, version, summary, licence, Python, and the oldest core that it works with."""
        assert not (found := [*missing_metadata(installed(self.plugin))]), "\n".join(found)

    def test_it_carries_type_hints(self) -> None:
        """An empty file `py.typed` in its package tells type checkers to read them (PEP 561)."""
        target = installed(self.plugin).target
        assert has_type_hints(target), f"there is no py.typed beside {target}"

    def _models(self) -> Iterator[tuple[str, type[BaseModel]]]:
        """Every model that it brings, and what it is for."""
        found = loaded(self.plugin)
        yield from ((f"the entry of the provider {one.name!r}", one.entry) for one in found.of(ProviderSpec))
        yield from ((f"the options of {one.name!r}", one.options) for one in found.of(AgentHandlerSpec) if one.options)
        yield from ((f"the configuration fragment {name_of(one)!r}", one.model) for one in found.of(ConfigFragment))

    def _described(self) -> Iterator[tuple[str, Any]]:
        """Everything that has a schema: the models, and the types of request fields."""
        yield from self._models()
        for one in loaded(self.plugin).of(AgentHandlerSpec):
            yield from ((f"the request field {name!r} of {one.name!r}", kind) for name, kind in one.fields.items())
