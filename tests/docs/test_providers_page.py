"""docs/providers.md says what is so: its variables, limits and sections; its error table has tests of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from llamafarm.http.certificates import VARIABLES as CERTIFICATES
from llamafarm.plugins.manager import PluginManager
from llamafarm.providers.entry import Timeouts
from llamafarm.providers.parameters import FORWARD_EVERYTHING
from llamafarm_openai_compat.profiles import PROFILES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "providers.md").read_text()
HEADINGS = {
    "ollama": "Ollama",
    "lemonade": "Lemonade",
    "openai": "OpenAI, and every server that speaks its API",
    "universal": "The Universal Runtime",
}
READ_BY_THE_PROVIDER = re.compile(r"\benviron(?:\.get\(|\[)\"(\w+)\"|\bVARIABLE = \"(\w+)\"")
PACKAGES = {"openai": "openai_compat"}


def section(heading: str) -> str:
    found = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert found, f"there is no section {heading!r}"
    return found


def variables(provider: str) -> set[str]:
    """The variables that the provider's configuration and service read."""
    package = PACKAGES.get(provider, provider)
    folder = ROOT / "plugins" / package / "src" / f"llamafarm_{package}"
    sources = [path.read_text() for name in ("config", "address", "service") for path in folder.glob(f"{name}.py")]
    found = {name for source in sources for pair in READ_BY_THE_PROVIDER.findall(source) for name in pair if name}
    keys = {profile.key for profile in PROFILES if profile.key} if provider == "openai" else set()
    return found | keys


@pytest.mark.parametrize("provider", HEADINGS)
def test_every_variable_of_a_provider_is_named_in_its_section(provider: str) -> None:
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", section(HEADINGS[provider])))
    assert variables(provider) - {"PATH"} <= named


@pytest.mark.parametrize("provider", HEADINGS)
def test_every_provider_has_a_minimal_configuration(provider: str) -> None:
    assert f"provider: {provider}\n" in section(HEADINGS[provider])


def test_the_time_limits_are_those_that_hold() -> None:
    said = dict(re.findall(r"`(\w+)` [^`]*?\((\d+|no limit)\)", section("Time limits")))
    limits = {name: "no limit" if value is None else f"{value:g}" for name, value in Timeouts()}
    assert said == limits


def test_the_variables_for_certificates_are_named_in_their_order() -> None:
    assert re.findall(r"`((?:SSL|REQUESTS|CURL)_\w+)`", section("Proxies and certificates")) == list(CERTIFICATES)


def test_only_ollama_refuses_fields_that_nobody_knows() -> None:
    plugins = PluginManager(environ={})
    specs = {name: plugins.provider(name).parameters or FORWARD_EVERYTHING for name in HEADINGS}
    assert [name for name, parameters in specs.items() if not parameters.forward_unknown] == ["ollama"]
