"""Each contract test of plugins fails for a plugin that breaks its promise, and it alone does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from llamafarm_kit.testing.contract import GUARD, contract_tests
from llamafarm_kit.testing.plugin_contract import PluginContract

SOUND = """
import llamafarm

class Entry(llamafarm.ModelEntry):
    colour: int = 0

def provider(name):
    def endpoint(entry):
        return llamafarm.Endpoint(name, entry.base_url or "http://127.0.0.1:9/v1")

    return llamafarm.ProviderSpec(name, "made for a test", Entry, endpoint, lambda endpoint: None)

@llamafarm.hookimpl
def register_providers():
    return [provider(__name__)]
"""

SECTION = """
from typing import Annotated
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

class Inner(BaseModel):
    times: int = 1

class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    {field}

@llamafarm.hookimpl
def register_config_fragments():
    return [llamafarm.ConfigFragment(llamafarm.Section({key}), Part)]
"""

IN_A_HOOK = """
@llamafarm.hookimpl
def register_agent_handlers():
    {code}
"""

METADATA = """Metadata-Version: 2.4
Name: {name}
Version: 1.0
Summary: Made for a test.
License-Expression: Apache-2.0
Requires-Python: >=3.11
Requires-Dist: llamafarm>=0.1
"""


@dataclass(frozen=True)
class Plugin:
    """A package in a distribution of its own.

    extra: what follows SOUND in it. without: the field that its metadata lacks. says: a line of its test class.
    """

    extra: str = ""
    without: str = "nothing"
    typed: bool = True
    command: str = "of-its-own"
    says: str = ""

    def install(self, name: str, folder: Path) -> None:
        """Put the distribution into a folder of the import path, as pip does."""
        package, info = folder / name, folder / f"{name}-1.0.dist-info"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(SOUND + self.extra)
        if self.typed:
            (package / "py.typed").touch()
        info.mkdir()
        lines = METADATA.format(name=name).splitlines(keepends=True)
        (info / "METADATA").write_text("".join(line for line in lines if not line.startswith(self.without)))
        groups = f"[llamafarm.plugins]\n{name} = {name}\n[llamafarm.commands]\n{self.command} = {name}:command\n"
        (info / "entry_points.txt").write_text(groups)

    def test(self, name: str) -> str:
        """The source of its author's test class."""
        return f"class {class_of(name)}(PluginContract):\n    plugin = {name!r}\n    {self.says}\n"


def class_of(name: str) -> str:
    """What the test class of a plugin is called."""
    return "Test" + name.title().replace("_", "")


def section(field: str, key: str = "__name__", says: str = "") -> Plugin:
    """A plugin with a section of one field."""
    return Plugin(SECTION.format(field=field, key=key), says=says)


def hook(code: str) -> Plugin:
    """A plugin with a second hook."""
    return Plugin(IN_A_HOOK.format(code=code))


SLEEPER = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
"""  # it ends with whoever has started it

PLUGINS = {
    "sound": section("times: int = 1"),
    "wrong_records": hook("return [7]"),
    "misspelt_hook": Plugin("@llamafarm.hookimpl\ndef register_provider():\n    return []\n"),
    "heavy": Plugin("import sys, types\nsys.modules['numpy'] = types.ModuleType('numpy')\n"),
    "online": Plugin("import socket\nsocket.getaddrinfo('localhost', 80)\n"),
    "online_in_a_hook": hook("import socket; socket.socket().close(); return []"),
    "chatty": Plugin("print('Hello from a plugin.')\n"),
    "chatty_in_a_hook": hook("import os; os.write(1, b'Hello'); return []"),
    "threaded": Plugin("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"),
    "with_a_child": Plugin(SLEEPER),
    "bad_schema": section("tone: Annotated[str, WithJsonSchema({'type': 'text'})] = 'kind'"),
    "open_further_down": section("inner: Inner = Field(default_factory=Inner)"),
    "changes_on_the_way": section("size: Annotated[int, PlainSerializer(lambda size: size + 1)] = 1"),
    "does_not_read_itself": section("size: Annotated[int, PlainSerializer(lambda size: f'{size} px')] = 1"),
    "shows_no_example": section("size: Annotated[str, AfterValidator(lambda size: str(int(size)))] = '1'"),
    "official_provider": Plugin(
        "@llamafarm.hookimpl\ndef register_providers():\n    return [provider('ollama')]\n",
        says="names = {'ollama': 'it replaces the official one'}",
    ),
    "official_section": section("times: int = 1", "'rag'", says="names = {'rag': 'it replaces the official one'}"),
    "official_command": Plugin(command="chat"),
    "called_otherwise": Plugin("@llamafarm.hookimpl\ndef register_providers():\n    return [provider('moo')]\n"),
    "explains_too_much": Plugin(says="names = {'moo': 'what it was called once'}"),
    "without_summary": Plugin(without="Summary"),
    "without_licence": Plugin(without="License-Expression"),
    "without_python": Plugin(without="Requires-Python"),
    "without_core": Plugin(without="Requires-Dist"),
    "untyped": Plugin(typed=False),
    "excused": Plugin(typed=False, says="xfail = {'test_it_carries_type_hints': 'generated code'}"),
    "excused_no_more": Plugin(says="xfail = {'test_it_carries_type_hints': 'generated code'}"),
    "excused_without_a_reason": Plugin(says="xfail = {'test_it_carries_type_hints': ' '}"),
    "excused_from_nothing": Plugin(says="xfail = {'test_it_is_fast': 'it is not'}"),
    "skips": Plugin(says="pytestmark = pytest.mark.skipif(False, reason='it is never so')"),
    "replaces": Plugin(says="def test_it_carries_type_hints(self): pass"),
}

BROKEN = {
    "wrong_records": "test_it_loads_and_every_hook_returns_its_records",
    "misspelt_hook": "test_it_loads_and_every_hook_returns_its_records",
    "heavy": "test_loading_it_imports_nothing_heavy",
    "online": "test_loading_it_uses_no_network",
    "online_in_a_hook": "test_loading_it_uses_no_network",
    "chatty": "test_loading_it_prints_nothing",
    "chatty_in_a_hook": "test_loading_it_prints_nothing",
    "threaded": "test_loading_it_leaves_no_thread_and_no_process",
    "with_a_child": "test_loading_it_leaves_no_thread_and_no_process",
    "bad_schema": "test_its_models_have_a_valid_json_schema",
    "open_further_down": "test_its_models_refuse_unknown_keys",
    "changes_on_the_way": "test_its_models_round_trip",
    "does_not_read_itself": "test_its_models_round_trip",
    "shows_no_example": "test_its_models_round_trip",
    "official_provider": "test_its_names_are_not_official_ones",
    "official_section": "test_its_names_are_not_official_ones",
    "official_command": "test_its_names_are_not_official_ones",
    "called_otherwise": "test_it_is_called_like_what_it_brings",
    "explains_too_much": "test_it_is_called_like_what_it_brings",
    "without_summary": "test_its_distribution_says_what_it_is",
    "without_licence": "test_its_distribution_says_what_it_is",
    "without_python": "test_its_distribution_says_what_it_is",
    "without_core": "test_its_distribution_says_what_it_is",
    "untyped": "test_it_carries_type_hints",
    "excused_no_more": "test_it_carries_type_hints",
    "excused_without_a_reason": GUARD,
    "excused_from_nothing": GUARD,
    "skips": GUARD,
    "replaces": GUARD,
}
"""The plugins of PLUGINS that break a promise, each with the one contract test that it fails."""


@pytest.fixture(scope="module")
def outcomes(run_contracts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugins")
    tests = ["import pytest", "from llamafarm_kit.testing import PluginContract"]
    for name, plugin in PLUGINS.items():
        plugin.install(name, folder / "installed")
        tests.append(plugin.test(name))
    file = folder / "test_plugins.py"
    file.write_text("\n\n".join(tests))
    found = run_contracts(file, folder / "installed")
    return {name: found[class_of(name)] for name in PLUGINS}


def test_a_sound_plugin_passes_every_contract_test(outcomes):
    assert outcomes["sound"] == dict.fromkeys(contract_tests(PluginContract), "passed")


def test_a_test_with_a_reason_to_fail_is_excused(outcomes):
    assert outcomes["excused"] == {**outcomes["sound"], "test_it_carries_type_hints": "xfailed"}


@pytest.mark.parametrize("plugin", BROKEN)
def test_a_broken_plugin_fails_its_contract_test_and_no_other(outcomes, plugin):
    assert [test for test, outcome in outcomes[plugin].items() if outcome == "failed"] == [BROKEN[plugin]]


def test_every_contract_test_has_a_plugin_that_fails_it(outcomes):
    assert set(BROKEN.values()) == contract_tests(PluginContract).keys()
    assert BROKEN.keys() == outcomes.keys() - {"sound", "excused"}
