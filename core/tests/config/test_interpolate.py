"""Variables: where they come from, what they become, and what happens where one is not set."""

from __future__ import annotations

import pytest
from llamafarm.config import masked
from llamafarm.errors import ConfigError
from llamafarm.project import BrokenEntry

ENTRY = "runtime: {{models: [{{name: a, provider: cow, model: m, {}}}]}}\n"


def test_a_variable_comes_from_the_environment(load):
    assert load("runtime: {models: [{name: a, provider: cow, model: '${M}'}]}", M="qwen").entry("a").model == "qwen"


def test_a_variable_comes_from_dotenv_and_the_environment_wins(load, folder):
    (folder / ".env").write_text("M=from-file\nN=from-file\n")
    models = load("runtime: {models: [{name: a, provider: cow, model: '${M} ${N}'}]}", M="from-environment").models
    assert models[0].model == "from-environment from-file"


@pytest.mark.parametrize(("environ", "model"), [({}, "small"), ({"M": ""}, "small"), ({"M": "big"}, "big")])
def test_a_default_stands_in_for_a_variable_that_is_unset_or_empty(load, environ, model):
    text = "runtime: {models: [{name: a, provider: cow, model: '${M:-small}'}]}"
    assert load(text, **environ).entry("a").model == model


def test_a_doubled_dollar_writes_a_plain_one(load):
    assert load("prompts: {a: 'cost: $${X} and $5'}").prompts["a"][0]["content"] == "cost: ${X} and $5"


def test_what_looks_like_a_number_is_what_the_schema_asks_for(load):
    fields = "api_key: '${N}', stalls: '${N}', extra_body: {quoted: '${N}'}"
    entry = load(ENTRY.format(fields), N="12345").entry("a")
    assert entry.api_key.get_secret_value() == "12345"
    assert entry.stalls == 12345
    assert entry.extra_body == {"quoted": "12345"}


def test_an_unquoted_variable_is_read_as_if_it_had_been_written_there(load):
    text = (
        "runtime:\n  models:\n  - name: a\n    provider: cow\n    model: ${N}\n    api_key: ${N}\n"
        "    stalls: ${N}\n    extra_body:\n      n: ${N}\n      t: ${T}\n"
    )
    entry = load(text, N="7", T="true").entry("a")
    assert (entry.model, entry.api_key.get_secret_value(), entry.stalls) == ("7", "7", 7)
    assert entry.extra_body == {"n": 7, "t": True}


def test_variables_are_filled_in_after_parsing(load):
    text = "runtime: {models: [{name: a, provider: cow, model: m, description: '${D}'}]}"
    assert load(text, D="x', stalls: '9").entry("a").description == "x', stalls: '9"


def test_a_variable_that_is_not_set_breaks_the_entry_that_uses_it_and_no_other(load):
    project = load(
        "runtime:\n  models:\n"
        "  - {name: a, provider: cow, model: '${NOWHERE}'}\n"
        "  - {name: b, provider: cow, model: m}\n"
    )
    broken = project.models[0]
    assert isinstance(broken, BrokenEntry)
    assert str(broken.error) == (
        "llamafarm.yaml:3:30: runtime.models[0].model: the variable NOWHERE is not set\n"
        "Set it in the environment or in a file .env beside the configuration, or write ${NOWHERE:-default}."
    )
    assert project.entry("b").model == "m"
    with pytest.raises(ConfigError, match="the variable NOWHERE is not set"):
        project.entry("a")


def test_an_entry_with_a_missing_variable_is_checked_all_the_same(refused):
    lines = refused(ENTRY.format("stalls: '${NOWHERE}', barn: {colour: blue}"))
    assert len(lines) == 2
    assert "stalls: the variable NOWHERE is not set. Set it in the environment" in lines[0]
    assert "barn.colour: must be one of 'red', 'white', not 'blue'" in lines[1]


def test_a_missing_provider_variable_is_told_as_such(load):
    project = load("runtime: {models: [{name: a, provider: '${P}', model: m}]}")
    assert "runtime.models[0].provider: the variable P is not set" in str(project.models[0].error)


@pytest.mark.parametrize(
    "text",
    [
        "name: ${NOWHERE}\n",
        "shed: {doors: '${NOWHERE}'}\n",
        "prompts: {a: '${NOWHERE}'}\n",
        "runtime: {models: ['${NOWHERE}']}\n",
        "runtime: {models: [['${NOWHERE}']]}\n",
        "runtime: {models: [{name: '${NOWHERE}', provider: cow, model: m}]}\n",
    ],
)
def test_anywhere_else_a_missing_variable_is_a_problem_of_the_file(refused, text):
    lines = refused(text)
    assert len(lines) == 1
    assert "the variable NOWHERE is not set" in lines[0]


def test_what_only_looks_like_a_variable_is_told_how_to_write_it(refused):
    (line,) = refused("prompts: {a: 'say ${not a name}'}")
    assert line.startswith("llamafarm.yaml:1:11: prompts.a: `${` begins a variable, `${NAME}` or `${NAME:-default}`;")


def test_a_variable_of_the_wrong_kind_is_told_without_its_value(refused):
    lines = refused(ENTRY.format("stalls: '${SECRET}'"), SECRET="hunter2-hunter2")
    assert "must be a whole number" in lines[0]
    assert "(from a variable)" in lines[0]
    assert "hunter2" not in lines[0]


def test_showing_the_configuration_shows_the_variable_and_not_its_value(load):
    project = load(ENTRY.format("api_key: '${KEY}', extra_body: {x: '${X:-3}'}"), KEY="sk-very-secret")
    (entry,) = masked(project)["runtime"]["models"]
    assert (entry["api_key"], entry["extra_body"]) == ("${KEY}", {"x": "3"})
    assert "sk-very-secret" in project.secrets
    assert "sk-very-secret" not in repr(project)


def test_names_that_come_from_variables_are_compared_as_what_they_are_read_as(refused, load):
    two = "{name: '3', provider: cow, model: m}"
    (line,) = refused(f"runtime:\n  models:\n  - {two}\n  - name: ${{N}}\n    provider: cow\n    model: m\n", N="3")
    assert line == "llamafarm.yaml:4:5: runtime.models[1].name: a model entry named '3' is already in line 3"
    project = load(f"runtime:\n  default_model: ${{N}}\n  models:\n  - {two}\n", N="3")
    assert project.entry().name == "3"
