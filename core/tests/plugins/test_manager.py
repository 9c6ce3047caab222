"""What is loaded when, what becomes of plugins that do not work, and what the user reads."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from llamafarm.errors import PluginError
from llamafarm.plugins.manager import PluginManager
from llamafarm.records import EntryBlock, Section

FRAGMENTS = """
    import llamafarm
    from pydantic import BaseModel, ConfigDict

    class Shed(BaseModel):
        model_config = ConfigDict(extra="forbid")
        doors: int = 1

    @llamafarm.hookimpl
    def register_config_fragments():
        return [
            llamafarm.ConfigFragment(llamafarm.Section("shed"), Shed),
            llamafarm.ConfigFragment(llamafarm.EntryBlock("stall", provider="cow"), Shed),
            llamafarm.ConfigFragment(llamafarm.EntryBlock("hay"), Shed),
        ]
"""


OFFICIAL = (
    "llamafarm-agents",
    "llamafarm-lemonade",
    "llamafarm-ollama",
    "llamafarm-openai-compat",
    "llamafarm-rag",
    "llamafarm-universal",
)


def manager(**environ: str) -> PluginManager:
    """Only the core and what the test installs, whatever else is installed beside it."""
    return PluginManager(environ=environ, disabled=OFFICIAL)


def status(plugins: PluginManager, name: str):
    return next(row for row in plugins.statuses() if row.name == name)


def refusal(plugins: PluginManager, name: str) -> str:
    with pytest.raises(PluginError) as caught:
        plugins.provider(name)
    return str(caught.value)


# What is loaded when


def test_only_the_plugin_that_is_named_is_imported(install, provider_source):
    install("acme-cow", provider_source("cow"))
    install("acme-hen", provider_source("hen"))
    assert manager().provider("cow").name == "cow"
    assert "acme_cow" in sys.modules
    assert "acme_hen" not in sys.modules


def test_a_provider_of_a_plugin_with_another_name_is_found_after_all(install, provider_source):
    install("acme-cow", provider_source("milk"))
    assert manager().provider("milk").summary == "made for a test"


def test_statuses_without_loading_import_nothing(install):
    install("acme-cow", "raise RuntimeError('imported')")
    rows = manager().statuses(load=False)
    assert [row.status for row in rows if row.name == "cow"] == ["not loaded"]


def test_a_status_says_what_an_active_plugin_brings(install, provider_source):
    install("acme-cow", provider_source("cow"))
    row = status(manager(), "cow")
    assert (row.status, row.cause, row.hooks, row.providers) == ("active", None, ("register_providers",), ("cow",))


def test_what_a_plugin_prints_stays_off_stdout(install, provider_source, capsys):
    install("acme-cow", "print('hello')\n" + provider_source("cow"))
    manager().provider("cow")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "hello" in captured.err


# Disabled


def test_a_plugin_disabled_in_the_environment_is_never_imported(install):
    install("acme-cow", "raise RuntimeError('imported')")
    row = status(manager(LF_DISABLE_PLUGINS="hen, cow"), "cow")
    assert (row.status, row.cause) == ("disabled", "it is named in LF_DISABLE_PLUGINS")
    assert "acme_cow" not in sys.modules


def test_a_plugin_is_disabled_by_its_distribution_too(install, provider_source):
    install("acme-cow", provider_source("cow"))
    assert status(manager().without(["acme-cow"]), "cow").status == "disabled"


def test_the_cores_own_plugin_cannot_be_disabled():
    rows = manager(LF_DISABLE_PLUGINS="simple,llamafarm").statuses(load=False)
    assert [row.status for row in rows if row.name == "simple"] == ["not loaded"]


def test_a_name_that_disables_nothing_is_told_where_it_can_hardly_be_meant(install, provider_source):
    install("acme-highland", provider_source("highland"))
    assert manager(LF_DISABLE_PLUGINS="highlnad,simple,zebra").warnings == [
        "LF_DISABLE_PLUGINS names 'highlnad', which is not installed; did you mean 'highland'?",
        "LF_DISABLE_PLUGINS names 'simple', which is the core's own and cannot be disabled",
    ]


def test_one_project_disables_a_plugin_for_itself_alone(install, provider_source):
    install("acme-cow", provider_source("cow"))
    plugins = manager()
    assert "is disabled" in refusal(plugins.without(["cow"]), "cow")
    assert plugins.provider("cow").name == "cow"


def test_a_disabled_provider_is_refused_with_the_reason(install, provider_source):
    install("acme-cow", provider_source("cow"))
    assert refusal(manager(LF_DISABLE_PLUGINS="cow"), "cow") == (
        "The plugin 'cow' (acme-cow 1.0) is disabled: it is named in LF_DISABLE_PLUGINS."
    )


# Broken


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module' (on import of acme_cow)"),
        ("import sys; sys.exit(3)", "it called sys.exit(3) on import of acme_cow"),
        ("def (", "SyntaxError"),
        ("x = 1", "it implements no hook; mark its functions with @llamafarm.hookimpl"),
        (
            "import llamafarm\n@llamafarm.hookimpl\ndef register_provider(): return []",
            "unknown hook 'register_provider'",
        ),
        (
            "import llamafarm\n@llamafarm.hookimpl\ndef register_providers(pm): return []",
            "can not be found in the hookspec",
        ),
        (
            "import llamafarm\n@llamafarm.hookimpl\ndef register_providers(): raise ValueError('boom')",
            "ValueError: boom (in register_providers())",
        ),
        (
            "import llamafarm\n@llamafarm.hookimpl\ndef register_providers(): return None",
            "register_providers() returned a value of type NoneType; an iterable of ProviderSpec was expected",
        ),
        (
            "import llamafarm\n@llamafarm.hookimpl\ndef register_providers(): return ['cow']",
            "register_providers() returned a value of type str at position 0; a ProviderSpec was expected",
        ),
        (
            (
                "import llamafarm, pydantic\n"
                "class Hay(pydantic.BaseModel, extra='forbid'): pass\n"
                "@llamafarm.hookimpl\n"
                "def register_config_fragments():\n"
                "    return [llamafarm.ConfigFragment(llamafarm.EntryBlock('hay'), Hay, check=print)]"
            ),
            "the configuration fragment '*.hay' has what sections alone may have",
        ),
        (
            "import llamafarm\n@llamafarm.hookimpl(wrapper=True)\ndef register_providers(): return (yield)",
            "register_providers() is a hook wrapper",
        ),
    ],
)
def test_a_broken_plugin_is_a_row_with_its_cause_and_the_others_work(install, provider_source, source, cause):
    install("acme-cow", source)
    install("acme-hen", provider_source("hen"))
    plugins = manager()
    row = status(plugins, "cow")
    assert row.status == "failed"
    assert cause in row.cause
    assert plugins.provider("hen").name == "hen"
    assert plugins.warnings == [f"plugin 'cow' (acme-cow 1.0): failed: {row.cause}"]
    assert row.cause in refusal(plugins, "cow")


def test_a_registration_that_raises_loses_only_its_own_records(install, provider_source):
    more = """
        @llamafarm.hookimpl
        def register_config_fragments():
            raise RuntimeError("no fragments today")
    """
    install("acme-cow", provider_source("cow", more))
    plugins = manager()
    assert plugins.provider("cow").name == "cow"
    assert status(plugins, "cow").status == "failed"


def test_a_misspelt_hook_of_one_plugin_is_not_held_against_the_next(install, provider_source):
    install("acme-ant", "import llamafarm\n@llamafarm.hookimpl\ndef register_nothing(): return []")
    install("acme-cow", provider_source("cow"))
    assert [row.status for row in manager().statuses() if row.name in ("ant", "cow")] == ["failed", "active"]


def test_an_incompatible_plugin_is_not_imported(install):
    install("acme-cow", "raise RuntimeError('imported')", requires=("llamafarm>=99",))
    plugins = manager()
    assert status(plugins, "cow").status == "incompatible"
    assert "does not fit this LlamaFarm: it requires llamafarm>=99" in refusal(plugins, "cow")


def test_the_cause_of_a_failure_is_kept_for_a_traceback(install):
    install("acme-cow", "import no_such_module")
    with pytest.raises(PluginError) as caught:
        manager().provider("cow")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_an_entry_schema_that_allows_unknown_keys_is_refused(install, provider_source):
    loose = provider_source("cow").replace("colour: int = 0", 'model_config = {"extra": "ignore"}')
    install("acme-cow", loose)
    assert 'must have model_config = ConfigDict(extra="forbid")' in status(manager(), "cow").cause


def test_two_entry_points_for_one_module_are_noticed_and_the_first_works(install, provider_source):
    install("acme-cow", provider_source("cow"), plugins={"cow": "acme_cow", "moo": "acme_cow"})
    plugins = manager()
    assert status(plugins, "moo").cause == "it is the same module as cow (acme-cow 1.0)"
    assert status(plugins, "cow").status == "active"
    assert plugins.provider("cow").name == "cow"


def test_strict_makes_any_failure_an_error(install, provider_source):
    install("acme-cow", provider_source("cow"))
    install("acme-hen", "import no_such_module")
    assert "plugin 'hen' (acme-hen 1.0): failed" in refusal(manager(LF_STRICT_PLUGINS="1"), "cow")


def test_strict_does_not_stop_the_list_of_plugins(install):
    install("acme-hen", "import no_such_module")
    assert status(manager(LF_STRICT_PLUGINS="1"), "hen").status == "failed"


# Conflicts


def test_two_plugins_that_bring_one_name_are_both_in_conflict(install, provider_source):
    install("acme-cow", provider_source("milk"))
    install("acme-goat", provider_source("milk"), version="2.0")
    plugins = manager()
    assert [row.status for row in plugins.statuses() if row.name in ("cow", "goat")] == ["conflict", "conflict"]
    assert "'milk' is also brought by acme-goat 2.0" in status(plugins, "cow").cause
    assert "brought by acme-cow 1.0 and acme-goat 2.0" in refusal(plugins, "milk")
    assert "milk" not in plugins.providers()


def test_disabling_one_of_two_rivals_frees_the_name(install, provider_source):
    install("acme-cow", provider_source("milk"))
    install("acme-goat", provider_source("milk"))
    plugins = manager(LF_DISABLE_PLUGINS="acme-goat")
    assert plugins.provider("milk").name == "milk"
    assert status(plugins, "cow").status == "active"


def test_two_distributions_with_one_entry_point_name_are_in_conflict_and_not_imported(install):
    install("acme-cow", "raise RuntimeError('imported')", plugins={"milk": "acme_cow"})
    install("acme-goat", "raise RuntimeError('imported')", plugins={"milk": "acme_goat"})
    plugins = manager()
    rows = [row for row in plugins.statuses() if row.name == "milk"]
    assert [row.status for row in rows] == ["conflict", "conflict"]
    assert "acme-cow 1.0 and acme-goat 1.0 each have a plugin named 'milk'" in rows[0].cause
    assert "is in conflict" in refusal(plugins, "milk")


def test_a_plugin_cannot_take_the_cores_name(install, provider_source):
    install("acme-cow", provider_source("cow"), plugins={"simple": "acme_cow"})
    rows = [row for row in manager().statuses(load=False) if row.name == "simple"]
    assert [(row.distribution, row.status) for row in rows] == [("llamafarm", "not loaded"), ("acme-cow", "conflict")]


def test_one_plugin_that_names_a_provider_twice_fails(install, provider_source):
    install("acme-cow", provider_source("cow").replace("    yield", "    for _ in (1, 2): yield"))
    assert status(manager(), "cow").cause == "register_providers() returned 'cow' twice"


# Unknown


def test_a_misspelt_provider_gets_the_nearest_name(install, provider_source):
    install("acme-cow", provider_source("highland"))
    text = refusal(manager(), "highlnad")
    assert "No plugin brings a provider 'highlnad'." in text
    assert "Did you mean 'highland'?" in text


def test_an_official_provider_that_is_not_installed_comes_with_the_pip_command(uninstalled, from_an_index):
    uninstalled("lemonade")
    assert refusal(manager(LF_DISABLE_PLUGINS="x"), "lemonade") == (
        "The provider 'lemonade' is not installed.\nInstall it: pip install llamafarm-lemonade"
    )


def test_an_unknown_name_mentions_plugins_that_failed(install):
    install("acme-hen", "import no_such_module")
    assert "It may belong to a plugin that does not work: plugin 'hen'" in refusal(manager(), "eggs")


# Fragments


def test_fragments_are_found_by_their_place(install):
    install("acme-shed", FRAGMENTS)
    plugins = manager()
    assert plugins.fragment(Section("shed")).model.__name__ == "Shed"
    assert plugins.fragment(EntryBlock("stall", "cow")) is not None
    assert plugins.fragment(EntryBlock("stall", "hen")) is None
    assert plugins.fragment(EntryBlock("hay", "hen")) is not None
    assert len([one for one in plugins.fragments() if one.at.key in ("shed", "hay")]) == 2
    assert status(plugins, "shed").fragments == ("shed", "cow.stall", "*.hay")


def test_two_fragments_for_one_place_are_a_conflict(install):
    install("acme-shed", FRAGMENTS)
    install("acme-barn", FRAGMENTS.replace('provider="cow"', "provider=None"))
    with pytest.raises(PluginError, match=r"'stall' is brought by acme-barn 1\.0 and acme-shed 1\.0"):
        manager().fragment(EntryBlock("stall", "cow"))


@pytest.mark.parametrize(("place", "key"), [('Section("runtime")', "runtime"), ('EntryBlock("model")', "model")])
def test_a_fragment_cannot_take_a_key_of_the_core(install, place, key):
    install("acme-shed", FRAGMENTS.replace('Section("shed")', place))
    assert f"the configuration key '{key}' is the core's own" in status(manager(), "shed").cause


# Threads


def test_threads_that_ask_at_once_have_each_plugin_loaded_once(install, provider_source, monkeypatch):
    imports: list[int] = []
    monkeypatch.setattr(threading, "imports", imports, raising=False)
    install("acme-cow", "import threading; threading.imports.append(1)\n" + provider_source("cow"))
    plugins = manager()
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda _: plugins.agent_handlers(), range(8))]
    assert [*map(sorted, found)] == [["simple"]] * 8
    assert imports == [1]
