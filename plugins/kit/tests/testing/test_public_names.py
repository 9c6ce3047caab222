"""Every name that `llamafarm_kit.testing` publishes; taking one away, or adding one, is done here on purpose."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llamafarm_kit import testing

NAMES = {
    "contracts": [
        "AgentHandlerContract",
        "Contract",
        "PluginContract",
        "ProviderContract",
        "RouteContract",
        "ToolSourceContract",
    ],
    "what a runtime does": ["OpenAIScenes", "Scene", "Stage"],
    "a runtime that is played": [
        "Asked",
        "Exchange",
        "Peer",
        "ReplayUpstream",
        "Script",
        "ScriptedUpstream",
        "answering",
        "silent",
        "streaming",
    ],
    "a provider that is played": ["ScriptedPlugins", "ScriptedProvider", "ScriptedReply"],
}
ALL = sorted(name for group in NAMES.values() for name in group)
ALIASES = {"Script"}
"""Names of types; what they mean stands below them in the source, where no program sees it."""


def test_these_are_the_names() -> None:
    assert sorted(testing.__all__) == ALL


@pytest.mark.parametrize("name", [name for name in ALL if name not in ALIASES])
def test_each_name_says_what_it_is(name: str) -> None:
    value = getattr(testing, name)
    assert vars(value)["__doc__"] if inspect.isclass(value) else inspect.getdoc(value)
    assert [function.__name__ for function in functions(value) if not inspect.getdoc(function)] == []


@pytest.mark.parametrize("name", [name for name in ALL if name not in ALIASES])
def test_help_does_not_show_the_environment_which_holds_secrets(name: str) -> None:
    for function in functions(getattr(testing, name)):
        defaults = [parameter.default for parameter in inspect.signature(function).parameters.values()]
        assert not any(default is os.environ for default in defaults)


def functions(value: Any) -> Iterator[Callable[..., Any]]:
    """A function itself; of a class its public methods, except tests, whose names are sentences."""
    if inspect.isfunction(value):
        yield value
    elif inspect.isclass(value):
        own = (vars(home) for home in value.__mro__ if home.__module__.startswith("llamafarm_kit."))
        yield from (
            member
            for members in own
            for name, member in members.items()
            if inspect.isfunction(member) and not name.startswith(("_", "test_"))
        )
