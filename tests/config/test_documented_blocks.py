"""The `runtime:` blocks that the documents show work, with every official provider that is installed.

Where a provider or section is not installed, its error names the distribution.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from llamafarm.config import init_text, load_project
from llamafarm.config.document import read
from llamafarm.config.json_schema import schema
from llamafarm.errors import ConfigError
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import BrokenEntry
from llamafarm.records import Section

BLOCKS = sorted((Path(__file__).parent / "documented").glob("*.yaml"))
RUNTIMES = [pytest.param(path, id=path.stem) for path in BLOCKS if "rag:" not in path.read_text()]


@pytest.fixture(scope="module")
def plugins() -> PluginManager:
    return PluginManager(environ={})


@pytest.mark.parametrize("path", RUNTIMES)
def test_every_entry_works_or_names_the_distribution_that_it_lacks(path, plugins):
    installed = plugins.providers()
    for entry in load_project(path, plugins, environ={}).models:
        assert isinstance(entry, BrokenEntry) == (entry.provider not in installed)
        if isinstance(entry, BrokenEntry):
            assert f"pip install llamafarm-{entry.provider}" in str(entry.error)


def test_the_settings_of_the_documents_arrive(plugins):
    project = load_project(next(path for path in BLOCKS if "6_" in path.name), plugins, environ={})
    image = project.entry("image-gen")
    assert project.default == "balanced"
    assert image.transformers.model_type == "image"
    assert (image.diffusion.default_steps, image.diffusion.default_guidance) == (30, 7.5)


def test_what_needs_a_handler_that_is_not_there_is_told():
    without = PluginManager(environ={}, disabled=("llamafarm-agents",))
    (instructor,) = load_project(next(path for path in BLOCKS if "2_" in path.name), without, environ={}).warnings
    assert "2_vllm.yaml:8:7: runtime.models[0].instructor_mode: has no effect without the agent handler" in instructor


def test_with_the_agents_it_is_done(plugins):
    assert not load_project(next(path for path in BLOCKS if "2_" in path.name), plugins, environ={}).warnings


def test_of_the_universal_runtime_everything_is_done(plugins):
    assert not load_project(next(path for path in BLOCKS if "6_" in path.name), plugins, environ={}).warnings


@pytest.mark.parametrize("model", ["./models/mine", "../farm/models/mine"])
def test_a_folder_counts_from_the_configuration_and_not_from_where_the_command_runs(
    tmp_path, monkeypatch, plugins, model
):
    farm = tmp_path / "farm"
    (farm / "below").mkdir(parents=True)
    (farm / "llamafarm.yaml").write_text(f"runtime: {{provider: universal, model: {model}}}\n")
    whole = str(farm / "models" / "mine")
    assert load_project(farm / "llamafarm.yaml", plugins, environ={}).entry().model == whole
    monkeypatch.chdir(farm / "below")
    assert load_project(Path("../llamafarm.yaml"), plugins, environ={}).entry().model == whole


@pytest.mark.parametrize(
    ("entry", "parameters", "message"),
    [
        ("provider: universal", "{reasoning_effort: low}", "the provider universal cannot do this: use chat_template"),
        ("provider: universal", "{min_pp: 1}", "the provider universal knows no such parameter; did you mean 'min_p'?"),
        ("provider: ollama", "{num_ctxt: 1}", "the provider ollama knows no such parameter; did you mean 'num_ctx'?"),
        ("provider: lemonade", "{dimensions: 8}", "the provider lemonade cannot do this: the vectors come in"),
        ("provider: openai, profile: anthropic", "{seed: 7}", "the provider openai cannot do this: Anthropic's"),
        ("provider: openai, base_url: https://api.anthropic.com", "{seed: 7}", "the provider openai cannot do this"),
        ("provider: openai", "{max_tokens: -5}", "must be a whole number of at least -1, not -5"),
    ],
)
def test_what_the_runtime_will_refuse_is_told_when_the_file_is_read(tmp_path, plugins, entry, parameters, message):
    path = tmp_path / "llamafarm.yaml"
    path.write_text(f"runtime: {{{entry}, model: m, model_api_parameters: {parameters}}}\n")
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_project(path, plugins, environ={})


@pytest.mark.parametrize(
    ("entry", "parameters"),
    [
        ("provider: universal", "{top_k: 5, chat_template_kwargs: {enable_thinking: false}, user: me, n: 1}"),
        ("provider: universal", "{response_format: {type: json_object}, structured_outputs: {choice: [yes please]}}"),
        ("provider: ollama", "{num_ctx: 512, think: true, user: me, max_tokens: 5}"),
        ("provider: lemonade", "{top_k: 5, max_tokens: -1}"),
        ("provider: openai", "{top_k: 5, max_tokens: -1, seed: 7}"),
    ],
)
def test_what_the_runtime_takes_is_right(tmp_path, plugins, entry, parameters):
    path = tmp_path / "llamafarm.yaml"
    path.write_text(f"runtime: {{{entry}, model: m, model_api_parameters: {parameters}}}\n")
    load_project(path, plugins, environ={})


def test_the_section_of_rag_works_or_names_its_distribution(plugins):
    path = next(path for path in BLOCKS if "rag:" in path.read_text())
    if plugins.fragment(Section("rag")) is None:
        with pytest.raises(ConfigError) as caught:
            load_project(path, plugins, environ={})
        assert "llamafarm-rag" in str(caught.value)
        assert len(str(caught.value).split("\n")) == 1
    else:
        assert load_project(path, plugins, environ={}).sections["rag"]


@pytest.mark.parametrize("path", RUNTIMES)
def test_the_schema_accepts_what_the_loader_accepts(path, plugins):
    models = load_project(path, plugins, environ={}).models
    whole = not any(isinstance(entry, BrokenEntry) for entry in models)
    assert Draft202012Validator(schema(plugins)).is_valid(read(path).data) == whole


def test_what_lf_init_writes_works_as_it_is(tmp_path, plugins):
    path = tmp_path / "llamafarm.yaml"
    path.write_text(init_text())
    project = load_project(path, plugins, environ={})
    assert project.entry().model == "package:llamafarm_universal/demo_model"
    assert Draft202012Validator(schema(plugins)).is_valid(read(path).data)
