"""A plugin written against LlamaFarm 0.1 works in every later version, whatever hooks are given by then."""

from __future__ import annotations

import json

import pytest
from antique_wheel import WHEEL, build
from throwaway import CORE, Environment
from wheels import write_wheel

MODERN = """
import llamafarm
from pydantic import BaseModel, ConfigDict

class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

@llamafarm.hookimpl
def register_config_fragments(season):
    return [llamafarm.ConfigFragment(llamafarm.Section(season), Settings)]
"""
ONE_MORE_ARGUMENT = """
import dataclasses, importlib.util, json, pathlib, sys, types
import llamafarm

source = pathlib.Path(importlib.util.find_spec("llamafarm.hookspecs").origin).read_text()
later = types.ModuleType("llamafarm.hookspecs")
exec(source.replace("() -> Iterable[", "(season: str) -> Iterable["), later.__dict__)
sys.modules["llamafarm.hookspecs"] = llamafarm.hookspecs = later

from llamafarm.plugins import registration
from llamafarm.plugins.manager import PluginManager

registration.ARGUMENTS["season"] = "autumn"
plugins = PluginManager()
rows = {row.name: dataclasses.asdict(row) for row in plugins.statuses()}
given = {hook: list(getattr(plugins._loader._hooks.hook, hook).spec.argnames) for hook in registration.RECORDS}
print(json.dumps([given, rows]))
"""


@pytest.fixture(scope="module")
def farm(tmp_path_factory, one_echo) -> Environment:
    home = tmp_path_factory.mktemp("antique")
    modern = write_wheel(home, "acme-modern", {"acme_modern.py": MODERN}, plugins={"modern": "acme_modern"})
    made = Environment(home / "environment")
    made.install(CORE, WHEEL, modern)
    made.write(
        "llamafarm.yaml",
        f"""
runtime:
  models:
    - name: old
      provider: antique
      model: echo-1
      base_url: {one_echo.url}/v1
      colour: green
      handler: [simple, antique]
      extra_body: {{politely: true}}
handlers:
  antique: {{before: "Once more, "}}
antique: {{after: " for me."}}
""",
    )
    return made


def test_the_wheel_is_what_its_source_gives_to_the_byte(tmp_path):
    assert build(tmp_path).read_bytes() == WHEEL.read_bytes()


def test_it_answers_a_chat_with_its_provider_its_handler_and_its_section(farm):
    for stream in ("--stream", "--no-stream"):
        asked = farm.lf("chat", stream, "sing")
        assert (asked.returncode, asked.stdout) == (0, "You said: Once more, please sing for me.\n"), asked.stderr


def test_its_model_is_listed_and_answers(farm):
    [row] = json.loads(farm.lf("models", "list", "--json").stdout)
    assert (row["id"], row["provider"], row["reachable"]) == ("old", "antique", True)


def test_a_hook_that_is_given_one_more_argument_breaks_no_plugin_without_it(farm):
    done = farm.run("python", "-c", ONE_MORE_ARGUMENT)
    assert done.returncode == 0, done.stderr

    given, rows = json.loads(done.stdout)
    assert set(map(tuple, given.values())) == {("season",)}
    assert rows["antique"]["status"] == "active"
    assert rows["antique"]["providers"] == rows["antique"]["handlers"] == rows["antique"]["fragments"] == ["antique"]
    assert rows["modern"]["fragments"] == ["autumn"]
    assert farm.lf("plugins", "list").returncode == 0
