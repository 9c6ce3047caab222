"""The services of a project: one for each name, in the order of the entries."""

from __future__ import annotations

from types import SimpleNamespace

from llamafarm.errors import ConfigError
from llamafarm.project import BrokenEntry, Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.services.base import services_of


class Plugins:
    def provider(self, name: str) -> SimpleNamespace:
        if name == "remote":
            return SimpleNamespace(service=None)
        return SimpleNamespace(service=lambda entry: SimpleNamespace(name=entry.base_url) if entry.base_url else None)


def entry(name: str, provider: str = "local", base_url: str | None = None) -> ModelEntry:
    return ModelEntry(name=name, provider=provider, model=name, base_url=base_url)


class Choosing:
    """Each entry's service is the same one; that of entry `b` was chosen by the user."""

    def provider(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(service=lambda entry: SimpleNamespace(name="s", of=entry.name, chosen=entry.name == "b"))


def test_of_entries_that_share_a_service_the_first_starts_it_unless_another_one_was_chosen():
    for names, first in (("acd", "a"), ("abc", "b"), ("ba", "b")):
        project = Project("p", "default", None, tuple(entry(name) for name in names))
        assert [service.of for service in services_of(project, Choosing())] == [first]


def test_each_service_is_listed_once_and_entries_without_one_are_left_out():
    models = (
        entry("a", base_url="one"),
        entry("b", base_url="two"),
        entry("c", base_url="one"),
        entry("d"),
        entry("e", "remote"),
        BrokenEntry("f", "gone", "m", ConfigError("broken")),
    )
    project = Project("p", "default", None, models)
    assert [service.name for service in services_of(project, Plugins())] == ["one", "two"]
