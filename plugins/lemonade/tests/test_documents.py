"""The blocks of the product's document load as they stand there, and lead to servers that answer."""

from __future__ import annotations

import pytest
from lemonade_answers import TEXT
from lemonade_asking import MESSAGES
from lemonade_server import LemonadeServer, Model
from llamafarm.config import load_project
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import BrokenEntry
from llamafarm.providers.base import Call
from llamafarm.services.base import services_of
from llamafarm_kit.testing import ScriptedUpstream

ONE = """
runtime:
  models:
    - name: lemon
      description: "Lemonade local model"
      provider: lemonade
      model: user.Qwen3-4B
      base_url: "http://127.0.0.1:11534/v1"
      default: true
      lemonade:
        backend: llamacpp  # llamacpp (GGUF), onnx, or transformers
        port: 11534
        context_size: 32768
"""
SEVERAL = """
runtime:
  models:
    - name: lemon-fast
      provider: lemonade
      model: user.Qwen3-0.6B
      base_url: "http://127.0.0.1:11534/v1"
      lemonade:
        port: 11534

    - name: lemon-powerful
      provider: lemonade
      model: user.Qwen3-8B
      base_url: "http://127.0.0.1:11535/v1"
      lemonade:
        port: 11535
"""


@pytest.fixture
def plugins():
    return PluginManager()


@pytest.fixture
def load(tmp_path, plugins):
    def load(text: str):
        path = tmp_path / "llamafarm.yaml"
        path.write_text(text)
        return load_project(path, plugins, environ={})

    return load


async def answer(plugins, entry) -> str:
    spec = plugins.provider(entry.provider)
    provider = spec.connect(spec.endpoint(entry))
    try:
        reply = await provider.chat({"messages": MESSAGES, "stream": True}, Call(entry, "r"))
        return (await reply.completion())["choices"][0]["message"]["content"]
    finally:
        await provider.aclose()


@pytest.mark.anyio
async def test_the_one_model_is_loaded_with_its_context_and_answers(load, plugins):
    server = LemonadeServer(models={"Qwen3-4B": Model()})
    async with ScriptedUpstream(server) as upstream:
        entry = load(ONE.replace("11534", str(upstream.port))).entry()
        assert await answer(plugins, entry) == TEXT
    assert server.loaded == {"Qwen3-4B": {"ctx_size": 32768}}


@pytest.mark.anyio
async def test_several_models_on_several_ports_each_reach_their_own_server(load, plugins):
    fast, powerful = (LemonadeServer(models={name: Model()}) for name in ("Qwen3-0.6B", "Qwen3-8B"))
    async with ScriptedUpstream(fast) as one, ScriptedUpstream(powerful) as other:
        project = load(SEVERAL.replace("11534", str(one.port)).replace("11535", str(other.port)))
        for name in ("lemon-fast", "lemon-powerful"):
            assert await answer(plugins, project.entry(name)) == TEXT
    assert (list(fast.loaded), list(powerful.loaded)) == (["Qwen3-0.6B"], ["Qwen3-8B"])


@pytest.mark.parametrize(
    "port, names",
    [
        (None, ["lemonade:11534", "lemonade:11535"]),
        ("11535", ["lemonade:11534", "lemonade"]),
    ],
)
def test_the_environment_chooses_which_of_several_servers_is_called_lemonade(load, plugins, monkeypatch, port, names):
    if port:
        monkeypatch.setenv("LEMONADE_PORT", port)
    project = load(SEVERAL)
    assert [plugins.provider("lemonade").service(entry).name for entry in project.models] == names
    assert len(services_of(project, plugins)) == 2


@pytest.mark.parametrize("said", ["lemon-powerful", "user.Qwen3-8B", "Qwen3-8B"])
@pytest.mark.parametrize("port", ["11535", "11534"], ids=["another server's", "the same server's"])
def test_the_environment_chooses_a_model_by_its_entry_or_its_id_and_it_starts_with_that_entrys_settings(
    load, plugins, monkeypatch, said, port
):
    monkeypatch.setenv("LEMONADE_MODEL", said)
    if port == "11534":
        monkeypatch.setenv("LEMONADE_PORT", port)
    project = load(SEVERAL.replace("11535", port) + "        context_size: 512\n")
    [chosen] = [one for one in services_of(project, plugins) if one.name == "lemonade"]
    assert chosen.entry_to_load() == project.entry("lemon-powerful")


def test_a_model_that_no_entry_has_is_started_with_the_settings_of_the_first_and_not_with_its_checkpoint(
    load, plugins, monkeypatch
):
    monkeypatch.setenv("LEMONADE_MODEL", "user.Other")
    project = load(ONE + "        checkpoint: org/repository:Q4_0\n")
    [service] = services_of(project, plugins)
    started = service.entry_to_load()
    assert (started.model, started.lemonade.checkpoint, started.lemonade.context_size) == ("user.Other", None, 32768)


@pytest.mark.parametrize("backend", ["onnx", "transformers"])
def test_a_backend_that_is_gone_is_an_error_at_its_line_that_names_the_recipes(load, backend):
    from llamafarm.errors import ConfigError

    with pytest.raises(ConfigError, match=backend) as caught:
        found = load(ONE.replace("backend: llamacpp ", f"backend: {backend} ")).models[0]
        assert isinstance(found, BrokenEntry)
        raise found.error
    assert "ryzenai-llm" in str(caught.value) and "llamafarm.yaml:11" in str(caught.value)
