"""From a file to a project; what is wrong is told all at once, each problem at its line."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from llamafarm.config import load_project, refuse_own_address
from llamafarm.config.settings import Settings
from llamafarm.errors import ConfigError, PluginError, UsageError
from llamafarm.plugins import catalogue
from llamafarm.plugins.manager import PluginManager
from llamafarm.plugins.registration import CORE_SECTIONS
from llamafarm.project import BrokenEntry
from llamafarm.providers.entry import ModelEntry

COW = "name: a, provider: cow, model: m"
ALLOWED = ", ".join([*ModelEntry.model_fields, "stalls", "barn", "meadow", "tools", "stall", "hay"])


# Forms


@pytest.mark.parametrize(
    "runtime",
    [
        "{models: [{name: default, provider: cow, model: m, stalls: 2}]}",
        "{models: {default: {provider: cow, model: m, stalls: 2}}}",
        "{provider: cow, model: m, stalls: 2}",
    ],
)
def test_the_three_forms_of_runtime_are_one(load, runtime):
    (entry,) = load(f"runtime: {runtime}").models
    assert (entry.name, entry.provider, entry.model, entry.stalls) == ("default", "cow", "m", 2)


@pytest.mark.parametrize(
    ("runtime", "place"),
    [
        (
            "models:\n  - {name: a, provider: cow, model: m,\n    stals: 2}",
            "llamafarm.yaml:4:5: runtime.models[0].stals",
        ),
        ("models:\n    a: {provider: cow, model: m,\n    stals: 2}", "llamafarm.yaml:4:5: runtime.models.a.stals"),
        ("provider: cow\n  model: m\n  stals: 2", "llamafarm.yaml:4:3: runtime.stals"),
    ],
)
def test_a_problem_stands_at_the_line_that_the_user_wrote_whatever_the_form(refused, runtime, place):
    (line,) = refused(f"runtime:\n  {runtime}\n")
    assert line.startswith(f"{place}: unknown key; did you mean 'stalls'?")


def test_the_same_key_in_two_entries_is_told_at_the_one_that_is_wrong(refused):
    text = (
        "runtime:\n  models:\n  - {name: a, provider: cow, model: m, stalls: 1}\n"
        "  - {name: b, provider: hen, model: m, stalls: 1}\n"
    )
    (line,) = refused(text)
    assert line.startswith("llamafarm.yaml:4:40: runtime.models[1].stalls: unknown key")


def test_name_and_namespace_have_defaults(load):
    project = load("version: v1\n")
    assert (project.namespace, project.name) == ("default", "my-farm")


def test_a_project_of_the_data_directory_takes_its_namespace_from_there(plugins, tmp_path):
    path = tmp_path / "projects" / "team" / "farm" / "llamafarm.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("version: v1\n")
    project = load_project(path, plugins, environ={"LF_DATA_DIR": str(tmp_path)})
    assert (project.namespace, project.name) == ("team", "farm")


@pytest.mark.parametrize(
    "prompts",
    [
        "[{name: default, messages: [{role: system, content: Hi}]}]",
        "[{role: system, content: Hi}]",
        "{default: Hi}",
        "{default: [{role: system, content: Hi}]}",
        "{default: {messages: [{role: system, content: Hi}]}}",
    ],
)
def test_the_forms_of_prompts_are_one(load, prompts):
    assert load(f"prompts: {prompts}").prompts == {"default": [{"role": "system", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("prompts", "path"),
    [
        ("[{role: system, content: x}, {role: user}]", "prompts[1].content"),
        ("{a: [{role: user}]}", "prompts.a[0].content"),
        ("[{name: a, messages: [{role: user}]}]", "prompts[0].messages[0].content"),
    ],
)
def test_a_problem_of_a_prompt_is_told_by_the_path_that_the_user_wrote(refused, prompts, path):
    (line,) = refused(f"prompts: {prompts}")
    assert f" {path}: is missing" in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runtime: cow", "runtime: must be a mapping, not 'cow'"),
        ("runtime: {models: cow}", "runtime.models: must be a list, or a mapping from names"),
        ("runtime: {models: {a: cow}}", "runtime.models.a: must be a mapping, not 'cow'"),
        ("runtime: {models: [cow]}", "runtime.models[0]: must be a mapping, not 'cow'"),
        ("runtime: {model: m}", "runtime.provider: is missing"),
        ("runtime: {models: [], model: m}", "runtime.model: stands beside `models`; move it into an entry there"),
        ("prompts: Be brief.", "prompts: must be a list, or a mapping from names"),
        ("prompts: {a: 3}", "prompts.a: must be a mapping, not a number"),
        ("handlers: [simple]", "handlers: must be a mapping, not a list"),
    ],
)
def test_what_has_no_known_form_is_told_by_the_path_that_the_user_wrote(refused, text, message):
    (line,) = refused(text)
    assert line.endswith(f": {message}")


# What the project holds


def test_blocks_of_plugins_are_validated_and_kept_with_their_entry(load):
    entry = load(f"runtime: {{models: [{{{COW}, stall: {{doors: 2}}, hay: {{}}}}]}}").entry("a")
    assert {key: block.doors for key, block in entry.blocks.items()} == {"stall": 2, "hay": 1}


def test_sections_of_plugins_are_validated_and_kept(load):
    assert load("shed: {doors: 4}").sections["shed"].doors == 4


def test_handlers_and_default_model_are_kept(load):
    project = load(
        f"handler: [simple]\nruntime: {{default_model: b, models: [{{{COW}}}, {{name: b, provider: cow, model: m}}]}}"
    )
    assert (project.handler, project.default) == (("simple",), "b")


def test_a_path_counts_from_the_folder_of_the_file(load, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project = load(
        f"shed: {{place: ./shed}}\nruntime: {{models: [{{{COW}, meadow: ../green}}, "
        "{name: b, provider: cow, model: m, meadow: ~/green}]}"
    )
    assert project.sections["shed"].place == str(folder / "shed")
    assert project.entry("a").meadow == str(tmp_path / "green")
    assert project.entry("b").meadow == str(Path("~/green").expanduser())


def test_what_a_provider_remarks_on_an_entry_is_a_warning_with_its_place(load):
    project = load(f"runtime: {{models: [{{{COW}, stalls: 10}}]}}")
    assert project.warnings == ("llamafarm.yaml:1:55: runtime.models[0].stalls: no barn has so many.",)


WITH_TOOLS = "tools: [{name: bell}, {name: rope}]"


def test_what_comes_with_an_entry_is_a_model_of_its_own_behind_it(load):
    project = load(
        f"runtime: {{models: [{{{COW}, default: true, {WITH_TOOLS}, stall: {{doors: 2}}}}, "
        "{name: b, provider: hen, model: m}]}"
    )
    assert [entry.name for entry in project.models] == ["a", "a:bell", "a:rope", "b"]
    bell = project.entry("a:bell")
    assert (bell.model, bell.blocks["stall"].doors) == (project.entry("a").model, 2)
    assert project.default == "a"


def test_what_comes_with_an_entry_can_be_the_default(load):
    assert load(f"runtime: {{default_model: 'a:rope', models: [{{{COW}, {WITH_TOOLS}}}]}}").default == "a:rope"


def test_a_name_that_nothing_has_is_told_with_what_comes_with_entries(load):
    with pytest.raises(UsageError, match="There is no model 'a:bel'") as caught:
        load(f"runtime: {{models: [{{{COW}, {WITH_TOOLS}}}]}}").entry("a:bel")
    assert (caught.value.status, caught.value.hint) == (404, "Did you mean a:bell? Models: a, a:bell, a:rope.")


def test_an_entry_that_is_called_as_what_comes_with_another_is_refused(refused):
    """Names with a `:` are allowed, as Ollama's are: which of the two is meant would be anybody's guess."""
    lines = refused(f"runtime: {{models: [{{{COW}, {WITH_TOOLS}}},\n  {{name: 'a:bell', provider: hen, model: m}}]}}")
    (line,) = lines
    assert line.startswith(
        "llamafarm.yaml:1:21: runtime.models[0].name: with what comes with it, there is a model 'a:bell'"
    )
    assert line.endswith(", as the entry in line 2 is called")


def test_an_entry_whose_provider_cannot_say_what_comes_with_it_is_broken_and_the_others_work(load):
    project = load(f"runtime: {{models: [{{{COW}, tools: [{{name: broken}}]}}, {{name: b, provider: hen, model: m}}]}}")
    broken, other = project.models
    assert isinstance(broken, BrokenEntry)
    assert "it fell apart" in str(broken.error)
    assert other.name == "b"


@pytest.mark.parametrize(("key", "value"), [("instructor_mode", "tools"), ("prompt_format", "structured")])
def test_what_no_handler_reads_is_a_warning_that_says_what_helps(load, key, value):
    (warning,) = load(f"runtime: {{models: [{{{COW}, {key}: {value}}}]}}").warnings
    assert f"runtime.models[0].{key}: has no effect without the agent handler 'structured': " in warning
    assert "(llamafarm-agents 0.1.0) is disabled" in warning


def test_options_of_a_handler_are_the_entrys_over_the_projects(load):
    project = load(
        f"handlers: {{shear: {{blades: 2}}}}\nruntime: {{models: [{{{COW}, handler_options: "
        "{shear: {wool: {colour: white}}}}, {name: b, provider: cow, model: m}]}"
    )
    own, other = (project.options_of(project.entry(name), "shear") for name in "ab")
    assert (own.blades, own.wool.colour) == (2, "white")
    assert (other.blades, other.wool.colour) == (2, "red")
    assert project.options_of(project.entry("a"), "simple") is None


def test_an_entry_names_the_handlers_that_a_request_may_choose(load):
    entry = load(f"runtime: {{models: [{{{COW}, allow_handlers: [plain]}}]}}").entry("a")
    assert entry.allow_handlers == ["plain"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("handler_options: {shear: {blads: 1}}", "handler_options.shear.blads: unknown key; did you mean 'blades'?"),
        ("handler_options: {shear: {blades: 0}}", "handler_options.shear.blades: must be greater than or equal to 1"),
        ("handler_options: {shear: {}}", "handler_options.shear.blades: is missing"),
        ("handler_options: {shaer: {}}", "handler_options.shaer: No plugin brings an agent handler 'shaer'."),
        ("handler_options: {plain: {a: 1}}", "handler_options.plain: the agent handler 'plain' takes no options"),
        ("handler: shear", "handler: the agent handler 'shear' needs options: write them in `handlers.shear`"),
        ("allow_handlers: [shear]", "allow_handlers[0]: the agent handler 'shear' needs options"),
        ("allow_handlers: [plain, plain]", "allow_handlers[1]: the agent handler 'plain' is named twice"),
        ("allow_handlers: [plian]", "allow_handlers[0]: No plugin brings an agent handler 'plian'."),
        ("blades: 2", "blades: is an option of the agent handler 'shear': write `handler_options.shear.blades`, or "),
        ("shed: {}", "shed: is a section of the whole project: write it at the top of the file"),
    ],
)
def test_what_is_wrong_with_an_entrys_handlers_is_told_at_its_place(refused, fields, message):
    lines = refused(f"runtime: {{models: [{{{COW}, {fields}}}]}}")
    assert any(f"runtime.models[0].{message}" in line for line in lines), lines


def test_a_wrong_option_of_the_project_is_told_once_where_it_stands(refused):
    lines = refused(
        f"handlers: {{shear: {{blades: 0}}}}\nruntime: {{models: [{{{COW}, "
        "handler_options: {shear: {wool: {}}}}]}"
    )
    assert [line.split(": ")[1] for line in lines] == ["handlers.shear.blades"]


SHOP = "prompts:\n  shop: 'Serve {{name}} from {{town | anywhere}}.'\n"


def test_variables_of_prompts_are_kept_for_project_and_entry(load):
    project = load(f"variables: {{a: x, b: 2}}\nruntime: {{models: [{{{COW}, variables: {{b: true, c: 0.5}}}}]}}")
    assert (project.variables, project.entry("a").variables) == ({"a": "x", "b": 2}, {"b": True, "c": 0.5})


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("{a: [x]}", "variables.a: must be text or true or false or a whole number or a number, not a list"),
        ("{a: null}", "variables.a: must be text or true or false or a whole number or a number, not null"),
        ("{a-b: x}", "variables.a-b: must match pattern"),
        ("[a]", "variables: must be a mapping, not a list"),
    ],
)
def test_a_variable_has_a_name_and_one_value(refused, variables, message):
    (line,) = refused(f"variables: {variables}")
    assert f" {message}" in line


def test_a_variable_that_requests_must_give_is_a_warning_at_its_prompt(load):
    cow = "provider: cow, model: m"
    others = f"{{name: b, {cow}, variables: {{name: Ada}}}}, {{name: c, {cow}}}, {{name: d, provider: pig, model: m}}"
    [warning] = load(f"{SHOP}runtime: {{models: [{{{COW}}}, {others}]}}").warnings
    assert warning == (
        "llamafarm.yaml:2:3: prompts.shop: the variable 'name' has no default and no value here: every request to a, c "
        "must give it, in its field `variables`."
    )


@pytest.mark.parametrize(
    "elsewhere", ["variables: {name: Ada}\n", "", "prompts_mode: api_supplement, prompts: [plain]"], ids=str
)
def test_a_variable_that_is_given_or_in_no_models_prompts_is_none(load, elsewhere):
    top = elsewhere if elsewhere.startswith("variables") else ""
    own = elsewhere if elsewhere.startswith("prompts") else ""
    models = f"runtime: {{models: [{{{COW}, {own}}}]}}" if top or own else ""
    assert load(f"{SHOP}  plain: Be brief.\n{top}{models}").warnings == ()


HERD = "the agent handler 'herd': "
ALONE = f"{HERD}There is no model 'b' in default/my-farm. Models: a."


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("handler: herd", f"handler: {ALONE}"),
        ("handler: [plain, herd]", f"handler: {ALONE}"),
        ("allow_handlers: [herd]", f"allow_handlers: {ALONE}"),
        ("handler: herd, allow_handlers: [herd, plain]", f"handler: {ALONE}"),
        (
            "handler: herd, handler_options: {herd: {other: a}}",
            "handler: The agent handler 'herd' failed: RuntimeError: it went in circles",
        ),
    ],
)
def test_what_a_handler_needs_and_the_project_lacks_is_told_at_the_entrys_handler(refused, fields, message):
    (line,) = refused(f"runtime: {{models: [{{{COW}, {fields}}}]}}")
    assert f"runtime.models[0].{message}" in line


def test_a_handler_of_the_project_tells_what_it_needs_at_each_entry(refused):
    """The entries differ in what they have; those that choose another handler need none of it."""
    lines = refused(
        f"handler: herd\nhandlers: {{herd: {{other: c}}}}\nruntime:\n  models:\n  - {{{COW}}}\n"
        "  - {name: b, provider: cow, model: m, handler: plain}\n"
        "  - {name: c, provider: cow, model: milk, stalls: 0, handler: plain}\n"
    )
    assert lines == [f"llamafarm.yaml:5:5: runtime.models[0].handler: {HERD}the model 'c' (milk) cannot do embeddings"]


@pytest.mark.parametrize("other", ["provider: cow, model: m", "provider: pig, model: m"])
def test_a_handler_that_has_what_it_needs_and_one_whose_model_is_broken_load(load, other):
    """Broken entries are told of by themselves, and the others work."""
    project = load(f"runtime: {{models: [{{{COW}, handler: herd}}, {{name: b, {other}}}]}}")
    assert project.entry("a").handlers == ("herd",)


# Whose project it is


def test_two_folders_that_claim_one_name_are_two_projects(plugins, tmp_path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "llamafarm.yaml").write_text("name: farm\n")
    one, two = (load_project(tmp_path / place / "llamafarm.yaml", plugins, environ={}) for place in ("one", "two"))
    assert one.key == two.key
    assert one.identity != two.identity


def test_a_folder_is_one_project_by_whatever_road_it_is_reached(plugins, tmp_path, monkeypatch):
    folder = tmp_path / "farm"
    folder.mkdir()
    (folder / "llamafarm.yaml").write_text("name: farm\n")
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    paths = [folder / "llamafarm.yaml", tmp_path / "link" / "llamafarm.yaml", Path("llamafarm.yaml")]
    assert {load_project(path, plugins, environ={}).identity for path in paths} == {str(folder.resolve())}


def test_a_second_file_of_a_folder_is_a_project_of_its_own(plugins, folder):
    for name in ("llamafarm.yaml", "other.yaml"):
        (folder / name).write_text("name: farm\n")
    first, second = (load_project(folder / name, plugins, environ={}) for name in ("llamafarm.yaml", "other.yaml"))
    assert first.identity != second.identity


def test_an_unknown_model_gets_the_nearest_names(load):
    with pytest.raises(UsageError, match="Did you mean powerful"):
        load("runtime: {models: {powerful: {provider: cow, model: m}}}").entry("powerfull")


# Broken entries


def test_an_entry_without_its_provider_is_broken_and_names_the_pip_command(load, uninstalled, from_an_index):
    uninstalled("lemonade")
    project = load(f"runtime:\n  models:\n  - {{{COW}}}\n  - name: b\n    provider: lemonade\n    model: m\n")
    broken = project.models[1]
    assert isinstance(broken, BrokenEntry)
    assert isinstance(broken.error, PluginError)
    assert str(broken.error) == (
        "llamafarm.yaml:5:5: runtime.models[1].provider: The provider 'lemonade' is not installed.\n"
        "Install it: pip install llamafarm-lemonade"
    )
    assert project.entry("a").model == "m"


def test_an_entry_of_a_plugin_that_fails_is_broken_with_the_cause(load, install):
    install("acme-goat", "import no_such_module")
    (broken,) = load("runtime: {provider: goat, model: m}").models
    assert "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'" in str(broken.error)


def test_a_plugin_that_the_file_disables_is_not_imported(load, install, provider_source):
    install("acme-goat", "raise RuntimeError('imported')")
    (broken,) = load("plugins: {disabled: [goat]}\nruntime: {provider: goat, model: m}").models
    assert "is disabled: it is disabled in the configuration" in str(broken.error)


def test_two_plugins_of_one_provider_are_an_error_of_the_entry_that_uses_it(load, install, provider_source):
    install("acme-goat", provider_source("milk"))
    install("acme-sheep", provider_source("milk"))
    (broken,) = load("runtime: {provider: milk, model: m}").models
    assert "is brought by acme-goat 1.0 and acme-sheep 1.0" in str(broken.error)


# Problems


def test_all_problems_are_told_together_in_the_order_of_the_file(refused):
    lines = refused(
        "runtime:\n"
        "  default_model: c\n"
        "  models:\n"
        "    - name: a\n"
        "      provider: cow\n"
        "      model: 7\n"
        "      default: maybe\n"
        "    - name: a\n"
        "      provider: cow\n"
        "      modle: m\n"
        "rag: {}\n"
    )
    assert [line.split(": ", 2)[:2] for line in lines] == [
        ["llamafarm.yaml:2:3", "runtime.default_model"],
        ["llamafarm.yaml:6:7", "runtime.models[0].model"],
        ["llamafarm.yaml:7:7", "runtime.models[0].default"],
        ["llamafarm.yaml:8:7", "runtime.models[1].name"],
        ["llamafarm.yaml:8:7", "runtime.models[1].model"],
        ["llamafarm.yaml:10:7", "runtime.models[1].modle"],
        ["llamafarm.yaml:11:1", "rag"],
    ]


def test_every_mistake_is_told_in_one_run_whichever_entry_it_is_in(refused):
    lines = refused(
        "runtime:\n"
        "  models:\n"
        "    - name: a\n"
        "      provder: cow\n"
        "      model: m\n"
        "      stals: 1\n"
        "    - name: b\n"
        "      provider: caw\n"
        "      model: 7\n"
        "    - name: c\n"
        "      model: m\n"
        "      prompts: x\n"
        "    - {name: d, provider: cow, model: '${NOWHERE}', stalls: -1}\n"
    )
    assert [line.split(". ")[0] for line in lines] == [
        "llamafarm.yaml:4:7: runtime.models[0].provder: unknown key; did you mean 'provider'?",
        "llamafarm.yaml:6:7: runtime.models[0].stals: unknown key; did you mean 'stalls'? Allowed: " + ALLOWED,
        "llamafarm.yaml:8:7: runtime.models[1].provider: No plugin brings a provider 'caw'",
        "llamafarm.yaml:9:7: runtime.models[1].model: must be text, not a number; put it in quotes",
        "llamafarm.yaml:10:7: runtime.models[2].provider: is missing",
        "llamafarm.yaml:12:7: runtime.models[2].prompts: must be a list, not 'x'",
        "llamafarm.yaml:13:32: runtime.models[3].model: the variable NOWHERE is not set",
        "llamafarm.yaml:13:53: runtime.models[3].stalls: must be greater than or equal to 0, not -1",
    ]


def test_a_mistake_at_the_top_hides_no_other(refused):
    lines = refused("version: v2\nhandler: smple\nprompts: x\nruntime: {default_model: b}\nhandlers: {shear: {}}\n")
    assert [line.split(": ")[1] for line in lines] == [
        "version",
        "handler",
        "prompts",
        "runtime.default_model",
        "handlers.shear.blades",
    ]


def test_a_misspelt_provider_of_a_single_model_is_told_too(refused):
    lines = refused("runtime: {provder: cow, model: m}\n")
    assert lines == ["llamafarm.yaml:1:11: runtime.provder: unknown key; did you mean 'provider'?"]


@pytest.mark.parametrize(
    ("provider", "what_to_write"),
    [
        ("vllm", "`provider: openai` and `base_url: http://127.0.0.1:8000/v1`"),
        ("llama.cpp", "`provider: openai` and `base_url: http://127.0.0.1:8080/v1`"),
        ("LM-Studio", "`provider: openai` and `base_url: http://127.0.0.1:1234/v1`"),
        ("anthropic", "`provider: openai` and `base_url: https://api.anthropic.com/v1`"),
        ("together", "`provider: openai` and `base_url: https://api.together.xyz/v1`"),
        ("hf", "`provider: universal`"),
        ("transformers", "`provider: universal`"),
    ],
)
def test_a_server_that_a_provider_serves_is_told_how_to_be_written(load, provider, what_to_write):
    (broken,) = load(f"runtime: {{provider: {provider}, model: m}}").models
    assert f"{provider} is served by {what_to_write}." in str(broken.error)


@pytest.mark.parametrize("quotes", ["“”", "‘’", "„“", "«»"])
@pytest.mark.parametrize("key", ["name", "provider", "model", "base_url"])
def test_a_typographic_quote_is_told_for_what_it_is(refused, key, quotes):
    fields = {"name": "a", "provider": "cow", "model": "m"}
    fields[key] = f"{quotes[0]}x{quotes[1]}"
    lines = refused(f"runtime: {{models: [{{{', '.join(': '.join(pair) for pair in fields.items())}}}]}}")
    said = f"].{key}: begins with {quotes[0]}, which is a part of the text; YAML's quotes are"
    assert len([line for line in lines if said in line]) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("stalls: '3'", "stalls: must be a whole number, not '3'; take the quotes away"),
        ("stalls: many", "stalls: must be a whole number, not 'many'"),
        ("stalls: '.inf'", "stalls: must be a whole number, not '.inf'"),
        ("stalls: -1", "stalls: must be greater than or equal to 0, not -1"),
        ("description: 3", "description: must be text, not a number; put it in quotes"),
        ("handler: 3", "handler: must be text or a list, not a number; put it in quotes"),
        ("handler: {simple: {}}", "handler: must be text or a list, not a mapping"),
        ("barn: 'colour:red'", "barn: must be a mapping, not text; write a space after the colon: `colour: …`"),
        ("barn: [a]", "barn: must be a mapping, not a list"),
        ("barn: {colour: wite}", "barn.colour: must be one of 'red', 'white', not 'wite'; did you mean 'white'?"),
        ("timeouts: {conect: 1}", "timeouts.conect: unknown key; did you mean 'connect'? Allowed: connect, first_byte"),
        ("temperature: 1", "temperature: unknown key; did you mean 'model_api_parameters.temperature'? Allowed: name"),
        ("api_key: 123456", "api_key: must be text, not a number; put it in quotes"),
        ("base_url: 'ftp://x'", "base_url: 'ftp://x' is not an address such as"),
        ("handler: smple", "handler: No plugin brings an agent handler 'smple'. Did you mean 'simple'?"),
        ("handler: [simple, simple]", "handler[1]: the agent handler 'simple' is named twice"),
        ("prompts: [x]", "prompts[0]: there is no prompt set 'x'. Sets: none"),
    ],
)
def test_a_problem_says_what_was_found_what_is_allowed_and_what_was_meant(refused, fields, message):
    lines = refused(f"runtime: {{models: [{{{COW}, {fields}}}]}}")
    assert any(f"runtime.models[0].{message}" in line for line in lines), lines


def test_a_section_of_an_official_plugin_names_its_distribution(refused, monkeypatch):
    monkeypatch.setitem(catalogue._catalogue()["section"], "silo", "llamafarm-silo")
    (line,) = refused("silo: {}")
    assert line == (
        "llamafarm.yaml:1:1: silo: this section belongs to a plugin that is not installed. "
        "Install it: pip install llamafarm-silo"
    )


def test_a_literal_secret_is_in_no_message(refused):
    lines = refused(f"runtime: {{models: [{{{COW}, api_key: [sk-literal], base_url: 'ftp://me:hunter2@x'}}]}}")
    assert "hunter2" not in "\n".join(lines)
    assert "sk-literal" not in "\n".join(lines)


# This very server


@pytest.mark.parametrize("url", ["http://localhost:8000/v1", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_an_entry_that_points_at_this_very_server_is_refused(load, url):
    project = load(f"runtime: {{models: [{{{COW}, base_url: '{url}'}}]}}")
    with pytest.raises(ConfigError, match="has this very server as base_url"):
        refuse_own_address(project, "127.0.0.1", 8000)


@pytest.mark.parametrize("url", ["http://localhost:8001/v1", "http://example.org:8000/v1"])
def test_other_addresses_are_not(load, url):
    project = load(f"runtime: {{models: [{{{COW}, base_url: '{url}'}}, {{name: b, provider: cow, model: m}}]}}")
    refuse_own_address(project, "127.0.0.1", 8000)


def test_one_manager_serves_projects_that_disable_different_plugins(plugins, folder):
    path = folder / "llamafarm.yaml"
    path.write_text("plugins: {disabled: [acme-farm]}\nruntime: {provider: cow, model: m}")
    assert isinstance(load_project(path, plugins, environ={}).models[0], BrokenEntry)
    path.write_text("runtime: {provider: cow, model: m}")
    assert not isinstance(load_project(path, plugins, environ={}).models[0], BrokenEntry)


def test_projects_are_read_in_threads_beside_each_other(plugins, tmp_path):
    texts = {
        "good": "runtime: {provider: cow, model: m}",
        "without": "plugins: {disabled: [acme-farm]}\nruntime: {provider: cow, model: m}",
        "bad": "runtime: {provider: cow}",
    }
    paths = []
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        paths.append(tmp_path / name / "llamafarm.yaml")
        paths[-1].write_text(text)

    def outcome(path: Path) -> str:
        try:
            return type(load_project(path, plugins, environ={}).models[0]).__name__
        except ConfigError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(outcome, paths * 8))
    assert set(found[::3]) == {"CowEntry"}
    assert set(found[1::3]) == {"BrokenEntry"}
    assert set(found[2::3]) == {f"{paths[2]}:1:1: runtime.model: is missing"}


def test_a_configuration_loads_only_the_plugins_that_it_names(folder, install, provider_source):
    install("acme-goat", provider_source("goat"))
    install("acme-sheep", provider_source("sheep"))
    path = folder / "llamafarm.yaml"
    path.write_text("runtime: {provider: goat, model: m}")
    plugins = PluginManager(environ={})
    load_project(path, plugins, environ={})
    loaded = {row.name for row in plugins.statuses(load=False) if row.status != "not loaded"}
    assert loaded == {"goat"}


def test_a_section_of_a_plugin_that_fails_is_refused_with_the_cause(refused, install):
    install("acme-goat", "import no_such_module")
    (line,) = refused("pasture: {}")
    assert "pasture: unknown key. Allowed: version" in line
    assert "it may belong to a plugin that does not work: plugin 'goat' (acme-goat 1.0): failed" in line


def test_strict_refuses_a_file_where_any_plugin_is_broken(folder, install):
    install("acme-goat", "import no_such_module")
    (folder / "llamafarm.yaml").write_text("name: farm\n")
    with pytest.raises(PluginError, match="LF_STRICT_PLUGINS makes every broken plugin an error"):
        load_project(folder / "llamafarm.yaml", PluginManager(environ={"LF_STRICT_PLUGINS": "1"}), environ={})


def test_the_cores_own_keys_are_those_that_plugins_cannot_take():
    assert {*Settings.model_fields, "runtime", "prompts", "handlers"} == set(CORE_SECTIONS)
